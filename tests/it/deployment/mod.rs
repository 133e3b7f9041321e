//! Compares the image, docker-compose.yml and k8s/ with the formats' own types and with the program.
//!
//! No container engine is needed: the files are decoded by the types of the Compose specification and of Kubernetes'
//! API, and everything that they start is started as processes.
//!
//! | file | tests |
//! |---|---|
//! | `files` | nothing: reads the files, and fills in variables as Compose does |
//! | `image` | Dockerfile and .dockerignore |
//! | `compose` | docker-compose.yml, .env.example, config/demo.env |
//! | `kubernetes` | k8s/ |
//! | `servers` | PostgreSQL and Redis of docker-compose.yml, by the real programs |
//! | `fleet` | the whole fleets of compose and Kubernetes as processes, from migration to stop |
//! | `commands` | the program itself, with the arguments and variables of all of them |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod compose;
mod files;
mod fleet;
mod image;
mod kubernetes;
mod servers;
