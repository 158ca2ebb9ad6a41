import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['src/api/schema.d.ts', 'node_modules/**'] },
  ...ts.configs.strict,
  ...vue.configs['flat/recommended'],
  {
    files: ['**/*.vue', '**/*.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      'max-lines': ['error', { max: 250, skipBlankLines: false }],
      'no-console': 'error',
      'no-eval': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      'vue/no-v-html': 'error',
      // What a person reads comes from src/i18n, in both languages.
      'vue/no-bare-strings-in-template': [
        'error',
        { attributes: { '/.+/': ['title', 'aria-label', 'placeholder', 'alt', 'label'] } },
      ],
      // A component whose import was forgotten draws nothing, and says so to nobody but the browser's console.
      'vue/no-undef-components': ['error', { ignorePatterns: ['^el-', '^router-'] }],
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/component-api-style': ['error', ['script-setup']],
      // Prettier's matters; the layout of a line is not checked here.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/multi-word-component-names': 'off',
      'vue/multiline-html-element-content-newline': 'off',
    },
  },
  {
    // A test's tables may be wider: they are read by their columns.
    files: ['src/**/*.vue', 'src/**/*.ts'],
    rules: { 'vue/max-len': ['error', { code: 160, template: 160, tabWidth: 2 }] },
  },
)
