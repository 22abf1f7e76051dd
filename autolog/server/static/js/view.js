// What views are written with: the libraries, from one place.

import { createContext, Fragment, h, render } from "../vendor/preact/preact.js";
import htm from "../vendor/htm/htm.js";

export { createContext, Fragment, render };
export {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "../vendor/preact/hooks.js";

/** Elements as tagged templates. Every value becomes text or a property: nothing is ever read as HTML. */
export const html = htm.bind(h);

/** Class names, those that are not false, as one text. */
export const classes = (...names) => names.filter(Boolean).join(" ");
