//! Views of the whole fleet. Layer `operate`.

use std::sync::Arc;

use botfleet_actors::ports::outcomes::{OutcomeCursor, OutcomeRecord};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::failure::Failure;
use super::grant::Granted;
use super::operations::Operations;
use super::permission::{ReadFleet, ReadOutcomes, ReadStyle};
use crate::runtime::style::StyleView;
use crate::runtime::view::FleetView;

/// Number of outcomes read from the store at once: bounds the memory of a request.
const PAGE: usize = 500;

impl Operations {
    /// Returns bots, chats and providers with their snapshots.
    ///
    /// # Errors
    /// `Unavailable`; `OutOfReach` for whoever reaches a part of the fleet alone.
    pub async fn view(&self, by: &Granted<ReadFleet>) -> Result<FleetView, Failure> {
        by.everything()?;
        Ok(self.fleet.view().await?)
    }

    /// Measures how differently the personas write, by their bots' last messages.
    ///
    /// # Errors
    /// `Unavailable`; `OutOfReach` for whoever reaches a part of the fleet alone.
    pub async fn styles(&self, by: &Granted<ReadStyle>) -> Result<StyleView, Failure> {
        by.everything()?;
        Ok(self.fleet.styles().await?)
    }

    /// Streams how every update ended, oldest first, in pages.
    ///
    /// # Errors
    /// `OutOfReach` for whoever reaches a part of the fleet alone. The stream ends with an error when the store does not
    /// answer.
    pub fn outcomes(
        &self,
        by: &Granted<ReadOutcomes>,
    ) -> Result<BoxStream<'static, Result<Vec<OutcomeRecord>, Failure>>, Failure> {
        by.everything()?;
        let fleet = Arc::clone(&self.fleet);
        let pages = stream::try_unfold(Some(OutcomeCursor::default()), move |cursor| {
            let fleet = Arc::clone(&fleet);
            async move {
                let Some(cursor) = cursor else { return Ok(None) };
                let (records, next) = fleet.outcomes(cursor, PAGE).await?;
                Ok::<_, Failure>((!records.is_empty()).then_some((records, Some(next))))
            }
        });
        Ok(pages.into_stream().boxed())
    }
}
