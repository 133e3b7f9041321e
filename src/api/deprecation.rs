//! Parts of the API that will go: since when, until when, and what comes in their place. Layer `api`.
//!
//! # Source
//! RFC 9745, `Deprecation`; RFC 8594, `Sunset`; RFC 5829, `successor-version`.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::route::Route;

/// A day, as `2026-12-31`; it begins at midnight in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub &'static str);

impl Day {
    /// Returns the beginning of the day. A test tells of routes that name none.
    fn begins(self) -> DateTime<Utc> {
        let day: NaiveDate = self.0.parse().unwrap_or_default();
        day.and_time(NaiveTime::MIN).and_utc()
    }
}

/// The part of a route that will go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The route as a whole. Its answers carry `Deprecation` and `Sunset`.
    Route,
    /// A filter, or a member of the body or the answer, by its name.
    Field(&'static str),
}

/// A part of a route that will go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprecation {
    /// The part.
    pub part: Part,
    /// The first day on which callers should not use it any more.
    pub since: Day,
    /// The day from which it may be gone.
    pub sunset: Day,
    /// What comes in its place: the path of a route, or the name of a field.
    pub instead: &'static str,
}

impl Deprecation {
    /// Returns the deprecation of a whole route.
    pub fn of_route<R: Route>() -> Option<&'static Self> {
        R::DEPRECATED.iter().find(|deprecation| deprecation.part == Part::Route)
    }

    /// Returns the names of the fields of a route that will go.
    pub fn fields_of<R: Route>() -> impl Iterator<Item = &'static str> {
        R::DEPRECATED.iter().filter_map(|deprecation| match deprecation.part {
            Part::Field(name) => Some(name),
            Part::Route => None,
        })
    }

    /// Returns the headers of an answer, by name.
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [
            ("deprecation", format!("@{}", self.since.begins().timestamp())),
            ("sunset", self.sunset.begins().format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            ("link", format!("<{}>; rel=\"successor-version\"", self.instead)),
        ]
    }

    /// Tells people of it.
    pub fn told(&self) -> String {
        let what = match self.part {
            Part::Route => "Deprecated".to_owned(),
            Part::Field(name) => format!("`{name}` is deprecated"),
        };
        let Self { since, sunset, instead, .. } = self;
        format!("{what} since {}, and may be gone from {} on: use `{instead}`.", since.0, sunset.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::api::answer::Json;
    use crate::api::list::{Visitor, each};
    use crate::api::route::{Call, Example, Method, Nothing};
    use crate::operate::failure::Failure;
    use crate::operate::grant::Granted;
    use crate::operate::operations::Operations;
    use crate::operate::permission::ReadFleet;

    /// A made-up route that will go, with a filter and a member that go earlier.
    pub(crate) struct Old;

    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
    pub(crate) struct OldFilter {
        /// The colour.
        colour: Option<String>,
        /// The size.
        size: Option<String>,
    }

    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
    pub(crate) struct OldAnswer {
        /// The weight.
        weight: i64,
        /// The length.
        length: i64,
    }

    const SINCE: Day = Day("2026-12-01");
    const SUNSET: Day = Day("2027-06-01");

    impl Route for Old {
        const NAME: &'static str = "old";
        const METHOD: Method = Method::Get;
        const PATH: &'static str = "/api/v1/old";
        const SUMMARY: &'static str = "Shows what is old.";
        const EXAMPLE: Example = Example { address: "/api/v1/old", body: "", answer: r#"{"weight":1,"length":2}"# };
        const DEPRECATED: &'static [Deprecation] = &[
            Deprecation { part: Part::Route, since: SINCE, sunset: SUNSET, instead: "/api/v1/new" },
            Deprecation { part: Part::Field("colour"), since: SINCE, sunset: SUNSET, instead: "size" },
            Deprecation { part: Part::Field("weight"), since: SINCE, sunset: SUNSET, instead: "length" },
        ];
        type Permission = ReadFleet;
        type Path = Nothing;
        type Query = OldFilter;
        type Body = Nothing;
        type Answer = Json<OldAnswer>;

        async fn act(_: &Operations, _: Granted<ReadFleet>, _: Call<Self>) -> Result<Json<OldAnswer>, Failure> {
            Ok(Json(OldAnswer::default()))
        }
    }

    #[test]
    fn answers_of_a_route_that_will_go_say_since_when_until_when_and_what_comes_then() {
        let headers = Deprecation::of_route::<Old>().expect("it will go").headers();
        assert_eq!(
            headers.map(|(name, value)| format!("{name}: {value}")),
            [
                "deprecation: @1796083200",
                "sunset: Tue, 01 Jun 2027 00:00:00 GMT",
                "link: </api/v1/new>; rel=\"successor-version\"",
            ]
        );
        assert_eq!(Deprecation::fields_of::<Old>().collect::<Vec<_>>(), ["colour", "weight"]);
        let told: Vec<String> = Old::DEPRECATED.iter().map(Deprecation::told).collect();
        assert_eq!(told[0], "Deprecated since 2026-12-01, and may be gone from 2027-06-01 on: use `/api/v1/new`.");
        assert!(told[1].starts_with("`colour` is deprecated since"), "{}", told[1]);
    }

    #[test]
    fn what_goes_goes_half_a_year_after_it_was_told_and_a_route_names_its_successor() {
        struct Goes;
        impl Visitor for Goes {
            fn visit<R: Route>(&mut self) {
                for Deprecation { part, since, sunset, instead } in R::DEPRECATED {
                    let days =
                        |day: &Day| day.0.parse::<NaiveDate>().unwrap_or_else(|_| panic!("{}: {day:?}", R::NAME));
                    let left = days(sunset) - days(since);
                    assert!(left.num_days() >= 180, "{}: {left}", R::NAME);
                    assert!(*part != Part::Route || instead.starts_with("/api/v1/"), "{}: {instead}", R::NAME);
                }
            }
        }
        each(&mut Goes);
        Goes.visit::<Old>();
    }
}
