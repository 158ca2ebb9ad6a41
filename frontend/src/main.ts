import 'element-plus/theme-chalk/base.css'
import '@/styles/tokens.css'
import '@/styles/base.css'
import '@/styles/tables.css'

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from './App.vue'
import { i18n } from './i18n'
import { router } from './router'
import { useSettings } from './stores/settings'

async function begin(): Promise<void> {
  const app = createApp(App).use(createPinia()).use(i18n)
  const settings = useSettings()
  await settings.use(settings.language)
  app.use(router).mount('#app')
}

void begin()
