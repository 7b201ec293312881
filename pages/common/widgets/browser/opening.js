// Hides the first view until its script run has ended and its elements have their places, so that
// nothing moves under a reader's eyes. It waits no longer than PATIENCE for figures once the run has
// ended, and no longer than LONGEST for the run.
(() => {
  const PATIENCE = 6000, LONGEST = 20000;  // ms
  const STILL = 150;  // ms that the view has to keep its size
  const root = document.documentElement;
  let size = '', since = 0, ended = Infinity;
  root.classList.add('ial-opening');
  const done = () => root.classList.remove('ial-opening');
  const placed = () => {
    const app = document.querySelector('[data-testid=stApp]');
    const main = document.querySelector('[data-testid=stMainBlockContainer]');
    if (!app || !main || app.dataset.testScriptState !== 'notRunning') return false;
    if (!main.querySelector('h1, [role=alert]')) return false;
    ended = Math.min(ended, performance.now());
    if (performance.now() - ended > PATIENCE) return true;
    if (document.querySelector('[data-testid=stSkeleton]')) return false;
    const charts = [...main.querySelectorAll('[data-testid=stPlotlyChart]')];
    const bare = (chart) => chart.getBoundingClientRect().top < innerHeight
      && !chart.querySelector('.main-svg');
    if (charts.some(bare)) return false;
    const now = main.scrollHeight + ' ' + main.clientWidth;
    if (now !== size) since = performance.now();
    size = now;
    return performance.now() - since >= STILL;
  };
  const look = () => {
    if (!root.classList.contains('ial-opening')) return;
    if (placed()) done(); else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  setTimeout(done, LONGEST);
})();
