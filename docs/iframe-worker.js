// Let the search work from file://, where a browser starts no worker: the theme's worker runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const frame = this.frame.contentWindow;
      addEventListener("message", (event) => {
        if (event.source === frame) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      frame.document.open();
      frame.document.write(`<script>postMessage = (data) => parent.postMessage(data, "*")</script><script src="${url}"></script>`);
      frame.document.close();
      this.loaded = new Promise((resolve) => { frame.onload = resolve; });
    }
    postMessage(data) {
      this.loaded.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
