"""Gates that a rendered book must pass besides `press.check`; each returns problems as sentences.

- `weight`: the bytes that a reader loads with a page.
- `validity`: valid HTML.
- `accessibility`: WCAG 2.1 AA by axe, on a wide and a narrow screen, light and dark.
"""
