import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

const innards = (rooms, why) => ({
  'no-restricted-imports': ['error', { patterns: [{ group: rooms, message: why }] }],
});

export default ts.config(
  { ignores: ['dist/', 'src/lib/paraglide/', 'node_modules/'] },
  ...ts.configs.strict,
  ...svelte.configs['flat/recommended'],
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    rules: {
      'no-console': 'error',
      'no-eval': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': 'off',
      'svelte/no-at-html-tags': 'error',
      'svelte/no-inline-styles': 'error',
      'svelte/no-navigation-without-resolve': 'off',
      // Sets and maps here are replaced or private; the reactive ones are named SvelteMap.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  { files: ['scripts/**'], rules: { 'no-console': 'off' } },
  { files: ['src/**'], ignores: ['src/api/**'], rules: { 'no-restricted-globals': ['error', 'fetch', 'EventSource', 'XMLHttpRequest'] } },
  { files: ['src/lib/**'], rules: innards(['**/api/**', '**/ui/**', '**/app/**', '**/features/**', '**/lightbox/**'], 'lib/ is pure and imports nothing above it') },
  { files: ['src/lightbox/**'], rules: innards(['**/api/**', '**/features/**', '**/app/**'], 'lightbox/ is fed through FrameSource') },
  { files: ['src/ui/**'], rules: innards(['**/api/**', '**/features/**', '**/app/**'], 'ui/ holds parts without data') },
  { files: ['src/features/login/**'], rules: innards(['**/studies/**', '**/viewer/**'], 'features never import each other') },
  { files: ['src/features/studies/**'], rules: innards(['**/login/**', '**/viewer/**'], 'features never import each other') },
  { files: ['src/features/viewer/**'], rules: innards(['**/login/**', '**/features/studies/**'], 'features never import each other') },
);
