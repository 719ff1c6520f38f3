/* DataTables with its Bootstrap looks, on the page's own jQuery. */
import DataTable from "datatables.net-bs5";

window.DataTable = DataTable;
