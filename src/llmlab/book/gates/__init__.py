"""What a rendered book must keep beside being complete (`press.check`): each gate gives sentences.

- `weight`: what a reader loads with a page.
- `validity`: whether its HTML is what a browser takes it for.
- `accessibility`: WCAG 2.1 AA by axe, on a wide and a narrow screen, light and dark.
"""
