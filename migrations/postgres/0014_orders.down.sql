DROP TABLE operator_order;
