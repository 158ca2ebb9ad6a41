import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'

import { apiLocale } from '@/api/client'
import { type Language, showLanguage } from '@/i18n'

export type Theme = 'auto' | 'light' | 'dark'
const KEY = 'tandem.settings'

interface SavedSettings {
  language?: Language
  theme?: Theme
}

function savedSettings(): SavedSettings {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as SavedSettings
  } catch {
    return {} // private windows keep nothing
  }
}

function preferred(): Language {
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

/** Language and theme: of this browser, not of the service. */
export const useSettings = defineStore('settings', () => {
  const saved = savedSettings()
  const language = ref<Language>(saved.language === 'zh' || saved.language === 'en' ? saved.language : preferred())
  const theme = ref<Theme>(saved.theme === 'light' || saved.theme === 'dark' ? saved.theme : 'auto')
  const system = matchMedia('(prefers-color-scheme: dark)')
  const systemDark = ref(system.matches)
  system.addEventListener('change', (event) => (systemDark.value = event.matches))
  const dark = computed(() => (theme.value === 'auto' ? systemDark.value : theme.value === 'dark'))

  watch(dark, (now) => document.documentElement.classList.toggle('dark', now), { immediate: true })
  watch([language, theme], () => {
    try {
      localStorage.setItem(KEY, JSON.stringify({ language: language.value, theme: theme.value }))
    } catch {
      // It holds for this page then.
    }
  })

  async function use(chosen: Language): Promise<void> {
    apiLocale.language = chosen
    await showLanguage(chosen)
    language.value = chosen
  }

  return { language, theme, dark, use }
})
