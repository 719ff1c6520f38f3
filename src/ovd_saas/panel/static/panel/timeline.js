/* Timeline: what is new appears by itself while nobody reads; else it is told, and shown when asked for. */
(function ($) {
  "use strict";
  function entries() { return $("[data-ledger-entries]")[0]; }
  function isBeingRead() {
    var list = entries();
    return window.scrollY > 150 || $(list).is(":hover") || list.contains(document.activeElement);
  }
  function show() {
    $("[data-ledger-news]").empty();
    window.ovd.live.refresh(entries());
  }
  $(document).on("ovd:swapped", "[data-ledger-news]", function () {
    if ($(this).find("[data-ledger-count]").length && !isBeingRead()) { show(); }
  });
  /* What is new is new after the newest that is shown. */
  $(document).on("ovd:swapped", "[data-ledger-entries]", function () {
    var news = $("[data-ledger-news]")[0], newest = $(this).find("[data-newest]").data("newest");
    if (!news || !newest) { return; }
    news.dataset.fragmentUrl = news.dataset.fragmentUrl.replace(/after=[^&]*$/, "after=" + newest);
    news.ovdShown = null;
    $(news).empty();
  });
  $(document).on("click", "[data-ledger-show]", function () { show(); window.scrollTo({ top: 0 }); });
  $(document).on("change", "[data-ledger-filter] select", function () { this.form.requestSubmit(); });
  /* Only what was said goes into the address. */
  $(document).on("submit", "[data-ledger-filter]", function () {
    $(this).find("[name]").filter(function () { return !this.value; }).prop("disabled", true);
  });
})(jQuery);
