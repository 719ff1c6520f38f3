/* Application: a list's filter goes into the address at once. */
(function ($) {
  "use strict";
  $(document).on("change", "[data-filter-status]", function () { this.form.submit(); });
})(jQuery);
