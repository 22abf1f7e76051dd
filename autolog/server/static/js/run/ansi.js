// Console output with its colours: text → lines of styled pieces. Pure; what it does not know it leaves out.

const ESCAPE = /\x1b(?:\[([0-9;:]*)([A-Za-z])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** A line as `[{text, className, style}]`. What a carriage return has overwritten is gone. `state` goes on to the next. */
export function pieces(line, state) {
  const text = afterReturn(line);
  const found = [];
  let at = 0;
  for (const match of text.matchAll(ESCAPE)) {
    push(found, text.slice(at, match.index), state);
    at = match.index + match[0].length;
    if (match[2] === "m") apply(state, (match[1] || "0").split(/[;:]/).map(Number));
  }
  push(found, text.slice(at), state);
  return found;
}

/** How text is written before anything was said about it. */
export const plainState = () => ({ fore: null, back: null, marks: new Set() });

const afterReturn = (line) => {
  const parts = line.replace(/\r+$/, "").split("\r");
  return parts.length > 1 ? parts.findLast((part) => part) ?? "" : parts[0];
};

function push(found, text, { fore, back, marks }) {
  if (!text) return;
  const [front, behind] = marks.has("inverse") ? [back, fore] : [fore, back];
  const names = [...marks].map((mark) => `ansi-${mark}`);
  const style = {};
  if (typeof front === "number") names.push(`ansi-${front}`);
  else if (front) style.color = front;
  if (typeof behind === "number") names.push(`ansi-on-${behind}`);
  else if (behind) style.backgroundColor = behind;
  found.push({ text, className: names.join(" ") || undefined, style: Object.keys(style).length ? style : undefined });
}

const MARKS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const UNMARKS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"] };

function apply(state, codes) {
  for (let place = 0; place < codes.length; place += 1) {
    const code = codes[place];
    if (code === 0) Object.assign(state, plainState());
    else if (code in MARKS) state.marks.add(MARKS[code]);
    else if (code in UNMARKS) for (const mark of UNMARKS[code]) state.marks.delete(mark);
    else if (code >= 30 && code <= 37) state.fore = code - 30;
    else if (code >= 90 && code <= 97) state.fore = code - 82;
    else if (code >= 40 && code <= 47) state.back = code - 40;
    else if (code >= 100 && code <= 107) state.back = code - 92;
    else if (code === 39) state.fore = null;
    else if (code === 49) state.back = null;
    else if (code === 38 || code === 48) {
      const [color, used] = extended(codes.slice(place + 1));
      state[code === 38 ? "fore" : "back"] = color;
      place += used;
    }
  }
}

/** A colour of 256, or one by its parts, and how many codes it took. */
function extended([kind, ...rest]) {
  if (kind === 2) return [`rgb(${rest.slice(0, 3).map((part) => Math.min(255, part || 0)).join(",")})`, 4];
  if (kind !== 5) return [null, 1];
  const place = rest[0] || 0;
  if (place < 16) return [place, 2];
  if (place > 231) return [`rgb(${Array(3).fill(8 + 10 * (Math.min(place, 255) - 232)).join(",")})`, 2];
  const cube = place - 16;
  const parts = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((part) => (part ? 55 + 40 * part : 0));
  return [`rgb(${parts.join(",")})`, 2];
}
