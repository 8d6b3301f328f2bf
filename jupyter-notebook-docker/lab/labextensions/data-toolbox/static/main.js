// JupyterLab extension: tiles for MLflow and the examples, and a dialog when a kernel was killed for memory.
// Written in the form of webpack's federated modules, so that it needs no build.
let scope;

async function shared(name) {
  const [version] = Object.values(scope[name]);
  return (await version.get())();
}

async function extension() {
  const { showErrorMessage } = await shared("@jupyterlab/apputils");
  const { PageConfig, URLExt } = await shared("@jupyterlab/coreutils");
  const { ILauncher } = await shared("@jupyterlab/launcher");
  const { INotebookTracker } = await shared("@jupyterlab/notebook");
  const { ServerConnection } = await shared("@jupyterlab/services");

  // The launcher does not scale icons that are given as a URL.
  const icon = (color, path) =>
    `data:image/svg+xml,${encodeURIComponent(
      `<svg xmlns="http://www.w3.org/2000/svg" width="52" height="52" viewBox="0 0 24 24">` +
        `<path d="${path}" fill="none" stroke="${color}" stroke-width="2"/></svg>`,
    )}`;
  const tiles = {
    id: "data-toolbox:tiles",
    autoStart: true,
    requires: [ILauncher],
    activate(app, launcher) {
      app.commands.addCommand("data-toolbox:mlflow", {
        label: "MLflow",
        caption: "Open the page of MLflow, with runs and models",
        // At MLflow's own origin: within Jupyter's, a script on a page of MLflow would have all the user's rights.
        execute: () => {
          const { protocol, hostname } = window.location;
          window.open(`${protocol}//${hostname}:${PageConfig.getOption("mlflowPort")}/`, "_blank", "noopener");
        },
      });
      app.commands.addCommand("data-toolbox:examples", {
        label: "Examples",
        caption: "Show the example notebooks in the file browser",
        execute: () => app.commands.execute("filebrowser:open-path", { path: "examples" }),
      });
      const tile = { category: "Notebook", rank: 10 };
      const chart = icon("#0194e2", "M3 3v18h18M6 17l4-6 4 3 6-9");
      const folder = icon("#616161", "M3 5h6l2 2h10v12H3z");
      launcher.add({ ...tile, command: "data-toolbox:mlflow", kernelIconUrl: chart });
      launcher.add({ ...tile, command: "data-toolbox:examples", kernelIconUrl: folder });
    },
  };

  const memory = {
    id: "data-toolbox:memory",
    autoStart: true,
    requires: [INotebookTracker],
    async activate(app, tracker) {
      const settings = app.serviceManager.serverSettings;
      const url = URLExt.join(settings.baseUrl, "data-toolbox/memory");
      const ask = async () => (await ServerConnection.makeRequest(url, {}, settings)).json();
      let known = ask();
      tracker.widgetAdded.connect((_, panel) => {
        panel.sessionContext.statusChanged.connect(async (session, status) => {
          if (status !== "autorestarting" && status !== "dead") return;
          const before = await known;
          known = ask();
          const { killed, limit } = await known;
          if (killed > before.killed) {
            const gib = Number((limit / 2 ** 30).toFixed(1));
            showErrorMessage(
              "Out of memory",
              `The kernel of ${session.name} was killed, because the notebook's container may use only ${gib} GiB. ` +
                "Load less at once, or raise NOTEBOOK_MEMORY in .env and run docker compose up --wait.",
            );
          }
        });
      });
    },
  };

  return { __esModule: true, default: [tiles, memory] };
}

window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB["data-toolbox"] = {
  init: (given) => {
    scope = given;
  },
  get: async () => {
    const module = await extension();
    return () => module;
  },
};
