/* An application's page: press Run once, go to the run's own address at once; errors stand beside their fields. */
(function ($) {
  "use strict";
  var isRunning = false, key = null;

  function fresh() {
    var bytes = window.crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, function (byte) { return byte.toString(16).padStart(2, "0"); }).join("");
  }
  function fields() { return $("[data-run] [data-field]").get(); }

  /* The request's parts: JSON of the plain inputs, and one part a file. */
  function gather() {
    var inputs = {}, files = [];
    fields().forEach(function (field) {
      var held = window.ovd.inputs.held(field);
      if (!held) { return; }
      if ("value" in held) { inputs[field.dataset.field] = held.value; } else { files.push({ field: field.dataset.field, held: held }); }
    });
    return Promise.all(files.map(function (one) {
      if (one.held.file) { return { field: one.field, name: one.held.name, bytes: one.held.file }; }
      return fetch(one.held.url).then(function (answer) {
        if (!answer.ok) { throw new Error(window.ovd.words("The example file {name} could not be loaded. Choose a file of your own.", { name: one.held.name })); }
        return answer.arrayBuffer();
      }).then(function (bytes) { return { field: one.field, name: one.held.name, bytes: new Blob([bytes], { type: one.held.type }) }; });
    })).then(function (parts) { return { inputs: inputs, parts: parts }; });
  }
  function consents() { return $("[data-consent]").prop("checked") === true; }
  function body(inputs) { return consents() ? { inputs: inputs, consent: true } : { inputs: inputs }; }
  function request(gathered) {
    if (!gathered.parts.length) { return { data: JSON.stringify(body(gathered.inputs)), contentType: "application/json", processData: false }; }
    var form = new FormData();
    form.append("inputs", new Blob([JSON.stringify(gathered.inputs)], { type: "application/json" }), "inputs.json");
    if (consents()) { form.append("consent", "true"); }
    gathered.parts.forEach(function (part) { form.append(part.field, part.bytes, part.name); });
    return { data: form, contentType: false, processData: false };
  }

  function clear() {
    $("[data-run] [data-field-error]").text("");
    $("[data-run] .is-invalid").removeClass("is-invalid").removeAttr("aria-invalid");
    $("[data-form-problem]").prop("hidden", true);
  }
  function complain(answer) {
    var body = answer.responseJSON || {}, errors = body.errors || [];
    var general = window.ovd.problem(answer);
    window.ovd.words.said(errors.map(function (error) { return error.message; }).concat([general])).then(function (told) {
      point(errors, told, told[errors.length]);
    });
  }
  /* Each fault beside its field; what belongs to none stands above the form. */
  function point(errors, told, general) {
    var rest = [];
    errors.forEach(function (error, at) {
      var name = String(error.field || "").replace(/^inputs\./, "").split(/[.[]/)[0];
      var field = fields().filter(function (one) { return one.dataset.field === name; })[0];
      if (!field) { rest.push((error.field ? error.field + " " : "") + told[at]); return; }
      var label = $(field).find(".form-label, .form-check-label, legend").first().text().trim();
      $(field).find("[data-field-error]").text(window.ovd.words("“{field}” {fault}", { field: label, fault: told[at] }));
      $(field).find("input, textarea, select").not("[data-slider]").addClass("is-invalid").attr("aria-invalid", "true");
      $(field).closest("details").attr("open", "");
    });
    if (!errors.length || rest.length) {
      $("[data-form-problem]").prop("hidden", false).text(rest.join(" ") || general);
    }
    $("[data-run] [aria-invalid]").first().trigger("focus");
  }
  function button(isBusy) {
    isRunning = isBusy;
    $("[data-run-button]").attr("aria-disabled", isBusy ? "true" : null).find("[data-run-words]").text(isBusy ? window.ovd.words("Sending…") : window.ovd.words("Run"));
  }

  $(document).on("submit", "[data-run]", function (event) {
    event.preventDefault();
    var form = this;
    if (isRunning || $("[data-run-button]").prop("disabled")) { return; }
    button(true);
    clear();
    key = key || fresh();
    gather().then(function (gathered) {
      return $.ajax($.extend(request(gathered), { url: form.dataset.api, method: "POST", dataType: "json",
        headers: { "X-CSRFToken": window.ovd.csrf(), "Prefer": "respond-async", "Idempotency-Key": key } }));
    }).then(function (execution) {
      window.location.assign(form.dataset.runs + execution.id + "/");
    }, function (answer) {
      key = null; // a refused request made nothing; a changed one needs a key of its own
      button(false);
      if (answer instanceof Error) { $("[data-form-problem]").prop("hidden", false).text(answer.message); } else { complain(answer); }
    });
  });
  $(document).on("change", "[data-consent]", function () { key = null; });
  $(document).on("input change", "[data-run] [data-field]", function () {
    key = null;
    $(this).find("[data-field-error]").text("");
    $(this).find(".is-invalid").removeClass("is-invalid").removeAttr("aria-invalid");
  });
  $(document).on("ovd:swapped", "[data-fragment=outlook]", function () {
    $("[data-run-button]").prop("disabled", $(this).find("[data-can-run]").data("can-run") !== "yes");
  });
  window.addEventListener("pageshow", function () { button(false); key = null; });

  /* Use it from code: a line that does what Run would do. */
  function quoted(text) { return "'" + text.replace(/'/g, "'\\''") + "'"; }
  function code() {
    var $code = $("[data-code]"), inputs = {}, parts = [];
    if (!$code.length) { return; }
    fields().forEach(function (field) {
      var held = window.ovd.inputs.held(field), name = field.dataset.field;
      if (held && "value" in held) { inputs[name] = held.value; } else if (held) { parts.push(name + "=@" + held.name); }
    });
    var lines = ["curl -H \"Authorization: Bearer $OVD_TOKEN\""];
    if (parts.length) {
      lines.push("  -F " + quoted("inputs=" + JSON.stringify(inputs) + ";type=application/json"));
      if (consents()) { lines.push("  -F consent=true"); }
      parts.forEach(function (part) { lines.push("  -F " + quoted(part)); });
    } else {
      lines.push("  -H \"Content-Type: application/json\"", "  -d " + quoted(JSON.stringify(body(inputs))));
    }
    lines.push("  " + $code.data("address") + $("[data-run]").data("api"));
    $code.text(lines.join(" \\\n"));
  }
  var coding = null;
  $(document).on("input change", "[data-run]", function () { window.clearTimeout(coding); coding = window.setTimeout(code, 300); });
  $(code);
})(jQuery);
