//! What the image, docker-compose.yml and k8s/ say, held against the formats' own types and against the program.
//!
//! No container engine is needed: the files are decoded by the types of the Compose specification and of Kubernetes'
//! API, and what they start is started as processes.
//!
//! | file | claims about |
//! |---|---|
//! | `files` | reads the files, and fills in variables as Compose does |
//! | `image` | Dockerfile and .dockerignore |
//! | `compose` | docker-compose.yml, .env.example, config/demo.env |
//! | `kubernetes` | k8s/ |
//! | `servers` | PostgreSQL and Redis of docker-compose.yml, by the real programs |
//! | `commands` | the program itself, with the arguments and variables of all of them |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod compose;
mod files;
mod image;
mod kubernetes;
mod servers;
