import { NAV_GROUPS, type PageDefinition } from './page'

const found = import.meta.glob<PageDefinition>('./*/*.page.ts', { eager: true, import: 'default' })

function menuPlace({ nav }: PageDefinition): number {
  return nav ? NAV_GROUPS.indexOf(nav.group) * 1000 + nav.order : Infinity
}

/** Every page of the console, in the order of the menu; those that are not in it come last. */
export const pages: PageDefinition[] = Object.values(found).sort((one, other) => {
  const [first, second] = [menuPlace(one), menuPlace(other)]
  return first === second ? 0 : first - second
})
