/* Finder: `/` opens a search over the page; arrows choose, Enter opens, Escape closes. The bar shows where one is. */
(function ($) {
  "use strict";
  var WAIT = 120; // ms after the last key before it is asked
  var timer = null, asked = null, chosen = -1;

  function finder() { return document.querySelector("[data-finder]"); }
  function options() { return $("[data-finder-list] [role=option]"); }
  function input() { return document.getElementById("finder-text"); }

  function choose(index) {
    var $all = options();
    chosen = $all.length ? (index + $all.length) % $all.length : -1;
    $all.attr("aria-selected", "false");
    input().removeAttribute("aria-activedescendant");
    if (chosen < 0) { return; }
    var one = $all[chosen];
    one.setAttribute("aria-selected", "true");
    input().setAttribute("aria-activedescendant", one.id);
    one.scrollIntoView({ block: "nearest" });
  }
  function show(html) {
    $("[data-finder-list]").html(html);
    $("[data-finder-said]").text($("[data-finder-list] [data-found]").data("found") || "");
    window.ovd.times($("[data-finder-list]"));
    choose(0);
  }
  function ask() {
    if (asked) { asked.abort(); }
    asked = $.ajax({ url: "/search/", data: { q: input().value }, dataType: "html",
      headers: { "X-Fragment": "choices" } })
      .done(function (html) {
        if (/<html/i.test(html)) { window.location.reload(); return; } // signed out meanwhile
        show(html);
      })
      .fail(function (answer, why) {
        if (why !== "abort") { $("[data-finder-list]").empty().append($("<p class='ovd-finder-none'>").text($("[data-finder-list]").data("failed"))); }
      });
  }
  function open() {
    var dialog = finder();
    if (!dialog || dialog.open) { return; }
    dialog.showModal();
    input().focus();
    input().select();
    ask();
  }

  $(document).on("click", "[data-finder-open]", function (event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !finder()) { return; }
    event.preventDefault();
    open();
  });
  $(document).on("keydown", function (event) {
    var isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey || !finder()) { return; }
    if (document.querySelector("dialog[open]")) { return; }
    event.preventDefault();
    open();
  });
  $(document).on("input", "#finder-text", function () {
    window.clearTimeout(timer);
    timer = window.setTimeout(ask, WAIT);
  });
  $(document).on("keydown", "#finder-text", function (event) {
    if (event.key === "ArrowDown") { event.preventDefault(); choose(chosen + 1); }
    if (event.key === "ArrowUp") { event.preventDefault(); choose(chosen - 1); }
    if (event.key === "Escape") { event.preventDefault(); finder().close(); } // not only empty the field
  });
  $(document).on("submit", "[data-finder] form", function (event) {
    var one = options()[chosen];
    if (!one) { return; } // the page of the search says what to do
    event.preventDefault();
    window.location.assign(one.href);
  });
  $(document).on("mousemove", "[data-finder-list] [role=option]", function () {
    var index = options().index(this);
    if (index !== chosen) { choose(index); }
  });
  $(document).on("click", "[data-finder]", function (event) {
    if (event.target === this) { this.close(); } // beside the box
  });
  $(function () { // where the bar scrolls by itself, the page that is open is in sight
    var nav = document.querySelector(".ovd-nav"), here = nav && nav.querySelector("[aria-current]");
    if (here) { nav.scrollLeft = here.offsetLeft - nav.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2; }
  });
})(jQuery);
