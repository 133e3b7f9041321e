DROP TABLE secret_node;
DROP TABLE secret_key;
DROP TABLE secret;
