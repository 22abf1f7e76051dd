// The points that charts in sight ask for, gathered into few requests: those asked for at the same moment travel together.

import { ask, projectPath } from "../api.js";

const POINTS = 1000;
const MOST = 40; // metrics of one request
const SERIES = 4000; // runs times metrics

/** A function `points(metric, signal)` for some runs: the series of that metric, of every run and child run that has it. */
export function pointsOf(project, runs) {
  let waiting = new Map();
  let timer = 0;
  const most = Math.max(1, Math.min(MOST, Math.floor(SERIES / Math.max(1, runs.length))));

  async function send() {
    const batch = waiting;
    waiting = new Map();
    timer = 0;
    const names = [...batch.keys()];
    for (let first = 0; first < names.length; first += most) {
      const metrics = names.slice(first, first + most);
      try {
        const { series } = await ask("POST", `${projectPath(project)}/series`, { body: { runs, metrics, points: POINTS } });
        for (const metric of metrics) {
          const own = series.filter((each) => each.metric === metric);
          for (const { resolve } of batch.get(metric)) resolve(own);
        }
      } catch (error) {
        for (const metric of metrics) for (const { reject } of batch.get(metric)) reject(error);
      }
    }
  }

  return (metric) => new Promise((resolve, reject) => {
    waiting.set(metric, [...(waiting.get(metric) ?? []), { resolve, reject }]);
    timer ||= setTimeout(send, 20);
  });
}
