// Colours of lines, told apart in light and dark, also by people who see red and green alike.

const COLORS = [
  "#3b78e7", "#e8833a", "#2ca58d", "#c94f7c", "#8a63d2", "#b39b25", "#4fb0c6", "#a05a2c", "#7f8ea3", "#d64545",
  "#5f9e3e", "#c77dd1",
];

export const color = (place) => COLORS[place % COLORS.length];

/** A line that repeats a colour is dashed. */
export const dash = (place) => (place < COLORS.length ? undefined : [6, 3 + 2 * Math.floor(place / COLORS.length)]);

/** A colour of the page, as its style sheet has it now. */
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
