DROP TABLE config_step;
DROP TABLE resource;
