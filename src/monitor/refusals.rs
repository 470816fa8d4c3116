//! What accounts were refused, on its way to the store: one list after the other, and never an older over a newer one.

use std::sync::{Arc, Mutex, PoisonError};

use super::within_deadline;
use crate::model::Refusal;
use crate::store::Store;

/// The newest list, until it is stored. Cloning it is cheap and shares it.
#[derive(Clone, Default)]
pub(super) struct Refusals {
    newest: Arc<Mutex<Option<Vec<Refusal>>>>,
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Refusals {
    /// Takes the place of a list that still waits: each is complete.
    pub(super) fn put(&self, refusals: Vec<Refusal>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusals);
    }

    /// Resolves when the newest list is stored. Do not drop it before.
    pub(super) async fn store(&self, store: &Store) {
        let _one_at_a_time = self.writing.lock().await;
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(refusals) = newest
            && let Err(error) = within_deadline(store.put_refusals(refusals)).await
        {
            tracing::error!(%error, "the refused passwords are not remembered across a restart; check the disk");
        }
    }
}
