//! The traits that types fulfil to stand in the documents. Layer `api`.
//!
//! The documents are made with the feature `schema`, by the tests that tell when the committed ones are stale. The program
//! itself is built without, so it holds none of what makes them.

/// A value with a schema.
#[cfg(feature = "schema")]
pub trait Described: utoipa::ToSchema {}

#[cfg(feature = "schema")]
impl<T: utoipa::ToSchema> Described for T {}

/// A value with a schema.
#[cfg(not(feature = "schema"))]
pub trait Described {}

#[cfg(not(feature = "schema"))]
impl<T> Described for T {}

/// Names of a path, or filters, with their descriptions.
#[cfg(feature = "schema")]
pub trait Parameters: utoipa::IntoParams {}

#[cfg(feature = "schema")]
impl<T: utoipa::IntoParams> Parameters for T {}

/// Names of a path, or filters, with their descriptions.
#[cfg(not(feature = "schema"))]
pub trait Parameters {}

#[cfg(not(feature = "schema"))]
impl<T> Parameters for T {}
