/* Editor: a manifest in CodeMirror, with what is wrong at its line, keys and values to choose from, and a guard. */
(function ($) {
  "use strict";
  var CALM = 600; // ms without typing before it is checked
  var cm = window.ovdEditor, $form, box, view, first, offered = null, timer = null, asked = 0, isSaving = false;

  function words(name) { return $form.data("word-" + name); }
  function text() { return view.state.doc.toString(); }
  function isChanged() { return text() !== first; }
  function say() { $("[data-editor-state]").text(words(isChanged() ? "unsaved" : "same")); }

  /* What stands before the cursor: the table it is in, and whether a key or a value is being written. */
  function tableAt(state, line) {
    for (var number = line; number > 0; number -= 1) {
      var found = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?/.exec(state.doc.line(number).text);
      if (found) { return found[1].replace(/["'\s]/g, ""); }
    }
    return "";
  }
  function keysOf(table) {
    var tables = offered.tables, parts = table.split(".");
    return tables[table] || tables[parts.slice(0, -1).concat("*").join(".")] || [];
  }
  function info(key) {
    var usual = key.default === null || key.default === "" || key.default.length === 0 ? "" : " · " + JSON.stringify(key.default);
    return key.meaning + " (" + key.may_be + usual + ")";
  }
  function value(key) {
    if (key.kind === "texts") { return "[]"; }
    if (key.kind === "flag") { return String(!key.default); }
    if (key.kind === "integer" || key.kind === "number") { return String(key.default === null ? 0 : key.default); }
    return JSON.stringify(key.choices.length ? key.choices[0] : "");
  }
  function header(name) { return offered.lists.indexOf(name) >= 0 ? "[[" + name + "]]" : "[" + name + "]"; }
  function complete(context) {
    if (!offered) { return null; }
    var line = context.state.doc.lineAt(context.pos), before = line.text.slice(0, context.pos - line.from);
    var table = tableAt(context.state, line.number), part;
    if ((part = /^\s*(\[\[?[\w.-]*)$/.exec(before))) {
      return { from: context.pos - part[1].length, options: Object.keys(offered.tables).filter(Boolean).map(function (name) {
        return { label: header(name), type: "class", apply: header(name) };
      }), validFor: /^\[\[?[\w.-]*\]*$/ };
    }
    if ((part = /^\s*([\w-]+)\s*=\s*(\[?\s*"?[\w-]*)$/.exec(before))) {
      var key = keysOf(table).filter(function (one) { return one.name === part[1]; })[0];
      if (!key) { return null; }
      var choices = key.kind === "flag" ? ["true", "false"] : key.choices.map(function (one) { return JSON.stringify(one); });
      return choices.length ? { from: context.pos - part[2].length, options: choices.map(function (one) {
        return { label: one, type: "constant", info: key.meaning };
      }) } : null;
    }
    part = /^\s*([\w-]*)$/.exec(before);
    if (!part || (!part[1] && !context.explicit)) { return null; }
    var there = context.state.doc.toString();
    return { from: context.pos - part[1].length, options: keysOf(table).map(function (one) {
      var isThere = new RegExp("^\\s*" + one.name + "\\s*=", "m").test(there);
      return { label: one.name, detail: one.may_be.slice(0, 40), info: info(one), type: "property", boost: isThere ? -1 : 1, apply: one.name + " = " + value(one) };
    }), validFor: /^[\w-]*$/ };
  }

  /* What is wrong, as `ovd check` says it. */
  function diagnostics(problems) {
    var doc = view.state.doc;
    return problems.map(function (one) {
      var line = doc.line(Math.min(Math.max(one.line, 1), doc.lines));
      var start = line.from + line.text.length - line.text.trimStart().length;
      return { from: Math.min(start, line.to), to: line.to, severity: "error", message: one.message + " " + one.cure };
    });
  }
  function list(problems, detail) {
    var $box = $("[data-problems]").empty();
    if (!problems.length) { $("<p class='mb-0'>").text(detail).appendTo($box); return; }
    var $list = $("<ul class='ovd-problems'>").appendTo($box);
    problems.forEach(function (one) {
      $("<li>").append($("<button type='button' class='btn btn-sm'>").attr("data-line", one.line).text(words("line") + " " + one.line), " ",
        one.key ? $("<code>").text(one.key) : "", document.createTextNode(" " + one.message + " " + one.cure)).appendTo($list);
    });
  }
  function show(body) {
    view.dispatch(cm.setDiagnostics(view.state, diagnostics(body.problems)));
    list(body.problems, body.detail);
  }
  function post(action) {
    return $.ajax({ url: $form.attr("action"), method: "POST", dataType: "json",
      data: { action: action, manifest: text(), newest: $("[data-newest]").val() },
      headers: { "X-CSRFToken": window.ovd.csrf(), "Accept": "application/json" } });
  }
  function check(isTold) {
    var number = asked += 1;
    if (isTold) { $("[data-problems]").text(words("checking")); }
    return post("check").done(function (body) { if (number === asked) { show(body); } })
      .fail(function (answer) { if (isTold) { window.ovd.say(window.ovd.problem(answer), "danger"); } });
  }
  function save() {
    if (isSaving) { return; }
    isSaving = true;
    asked += 1;
    $("[data-save]").attr("aria-disabled", "true");
    $("[data-editor-state]").text(words("saving"));
    post("save").done(function (done) {
      first = text(); // nothing to guard any more
      window.location.assign(done.location);
    }).fail(function (answer) {
      var body = answer.responseJSON || {};
      if (body.problems) { show(body); } else { window.ovd.say(window.ovd.problem(answer), "danger"); }
      if (body.newest) { $("[data-newest]").val(body.newest); $("[data-save-words]").text(words("anyway")); }
      say();
    }).always(function () { isSaving = false; $("[data-save]").removeAttr("aria-disabled"); });
  }

  var theme = { "&": { fontSize: ".8125rem", color: "var(--tblr-body-color)", backgroundColor: "var(--tblr-bg-surface)" },
    ".cm-scroller": { fontFamily: "var(--tblr-font-monospace, monospace)", lineHeight: "1.6" },
    ".cm-content": { minHeight: "22rem", caretColor: "var(--tblr-body-color)" }, ".cm-cursor": { borderLeftColor: "var(--tblr-body-color)" },
    ".cm-gutters": { backgroundColor: "var(--tblr-bg-surface-secondary)", color: "var(--ovd-quiet)", border: "0" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--tblr-primary) 8%, transparent)" },
    ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--tblr-primary) 28%, transparent) !important" },
    ".cm-tooltip": { backgroundColor: "var(--tblr-bg-surface)", color: "var(--tblr-body-color)", border: "1px solid var(--tblr-border-color)", borderRadius: "8px", maxWidth: "26rem" },
    ".cm-diagnostic": { padding: ".375rem .625rem" }, ".cm-completionInfo": { padding: ".5rem .75rem" } };

  function begin() {
    var area = $form.find("[data-manifest]")[0], host = $("[data-editor]")[0];
    /* In a shadow root the editor's styles are constructed sheets, which the content policy of the page allows. */
    var root = host.attachShadow({ mode: "open" }), dark = document.documentElement.dataset.bsTheme === "dark";
    first = area.value.replace(/\r\n/g, "\n");
    view = new cm.EditorView({ root: root, parent: root, state: cm.EditorState.create({ doc: first, extensions: [
      cm.keymap.of([{ key: "Mod-s", preventDefault: true, run: function () { check(true); return true; } }]),
      cm.basicSetup, cm.toml(), cm.lintGutter(), cm.autocompletion({ override: [complete], icons: false }), cm.EditorView.lineWrapping,
      cm.EditorView.theme(theme, { dark: dark }), cm.EditorView.contentAttributes.of({ "aria-label": words("label") }),
      cm.EditorView.updateListener.of(function (update) {
        if (!update.docChanged) { return; }
        area.value = text();
        say();
        window.clearTimeout(timer);
        timer = window.setTimeout(function () { check(false); }, CALM);
      })
    ] }) });
    host.addEventListener("keydown", function (event) { event.stopPropagation(); }); // the page's own keys are not meant
    host.hidden = false;
    area.hidden = true;
    box = host;
    box.ovdView = view; // for tests and for whoever looks at it from outside
    say();
    $("[data-problems]").text(words("keyboard"));
    $.getJSON($form.data("keys")).done(function (keys) { offered = keys; });
  }

  $(function () {
    $form = $("[data-manifest-form]");
    if ($form.length && cm) { begin(); }
  });
  $(document).on("click", "[data-problems] [data-line]", function () {
    var line = view.state.doc.line(Math.min(Math.max(Number(this.dataset.line), 1), view.state.doc.lines));
    view.dispatch({ selection: { anchor: line.from }, scrollIntoView: true });
    view.focus();
  });
  $(document).on("click", "[data-check]", function (event) { if (view) { event.preventDefault(); check(true); } });
  $(document).on("submit", "[data-manifest-form]", function (event) { if (view) { event.preventDefault(); save(); } });
  $(document).on("keydown", function (event) {
    if (view && (event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); check(true); }
  });
  window.addEventListener("beforeunload", function (event) {
    if (view && isChanged()) { event.preventDefault(); event.returnValue = ""; }
  });
})(jQuery);
