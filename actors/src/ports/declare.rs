//! Declares a port together with the list of its methods. Layer `ports`.
//!
//! The list lets an adapter implement all methods of a port by one rule, so a new method costs an adapter nothing, or
//! one line where the adapter departs from its rule.

/// Declares a trait as written, and a macro that hands the list of its methods to another macro.
///
/// `LIST! { rule WORDS }` calls `rule! { WORDS METHODS }`, where each method is `name(value: Type, ..) -> Result;` without
/// its error. The types are those that the ports' files name; the caller imports none of them. The first
/// token of a declaration is `$`: without it a macro cannot write a macro.
macro_rules! port {
    (
        $dollar:tt $list:ident:
        $(#[$about:meta])*
        pub trait $port:ident: $above:ident $(+ $more:tt)* {
            $(
                $(#[$doc:meta])*
                async fn $method:ident(&self $(, $value:ident: $type:ty)* $(,)?) -> Result<$result:ty, StoreError>;
            )+
        }
    ) => {
        $(#[$about])*
        #[async_trait::async_trait]
        pub trait $port: $above $(+ $more)* {
            $(
                $(#[$doc])*
                async fn $method(&self $(, $value: $type)*) -> Result<$result, StoreError>;
            )+
        }

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $list {
            ($dollar rule:ident $dollar($dollar words:tt)*) => {
                const _: () = {
                    #[allow(clippy::wildcard_imports, unused_imports, reason = "the types of the methods")]
                    use $crate::ports::{archive::*, audit::*, operators::*, outcomes::*, store::*};
                    $dollar rule! { $dollar($dollar words)* $($method($($value: $type),*) -> $result;)+ }
                };
            };
        }
    };
}

pub(crate) use port;
