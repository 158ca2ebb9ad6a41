import { nextTick } from 'vue'
import { createI18n } from 'vue-i18n'

export type Language = 'en' | 'zh'
type Messages = Record<string, unknown>

/** What is used here of vue-i18n; its own types know each message by its key. */
interface I18nGlobal {
  locale: { value: string }
  setLocaleMessage: (language: string, messages: Messages) => void
}

/** Each language is one file of its own, loaded when it is chosen. */
const LOADERS: Record<Language, () => Promise<{ default: Messages }>> = {
  en: () => import('./en'),
  zh: () => import('./zh'),
}

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: false,
  missingWarn: false,
})

const loaded = new Set<Language>()

/** Loads a language and shows the console in it. */
export async function showLanguage(language: Language): Promise<void> {
  const global = i18n.global as unknown as I18nGlobal
  if (!loaded.has(language)) {
    global.setLocaleMessage(language, (await LOADERS[language]()).default)
    loaded.add(language)
  }
  global.locale.value = language
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  await nextTick()
}
