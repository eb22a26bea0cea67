/** Unit tests need no plugins: they look at lib/ and at the parts of lightbox/ that run without a browser. */
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['tests/**/*.test.ts'], environment: 'node' } });
