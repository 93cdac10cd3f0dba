//! What of collections is held in memory to be searched: loaded when it is asked for, let go when the collection
//! changes or others need the room.
//!
//! It must not know whose collections they are; whoever asks has a row that says so.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodetool_protocol::Map;
use nodetool_sdk::search::{Clusters, Near, Vectors, WordIndex, WrongLength};
use nodetool_store::{CollectionRow, Store};
use tokio::sync::OnceCell;

use super::embedding::blocking;
use super::{CollectionError, read_metadata};

/// Most memory of all that is held, in bytes. What is in use may be beyond it.
const MAX_BYTES: usize = 768 << 20;
/// From so many vectors on they are sorted into clusters.
const CLUSTERED: usize = 150_000;
/// Threads that sort.
const SORTERS: usize = 2;
/// How often a collection is loaded again that changes while it is loaded.
const ATTEMPTS: usize = 3;

/// A collection that can be searched, as it was at one of its revisions.
pub(super) struct Loaded {
    /// Ids of the documents, in order.
    pub(super) ids: Vec<String>,
    pub(super) metadata: Vec<Map>,
    held: Mutex<Arc<Held>>,
    sorting: AtomicBool,
    words: OnceCell<WordIndex>,
    /// Bytes of all but the vectors and the words.
    base: usize,
}

/// Vectors as they are held: one by one, or sorted where they are many.
pub(super) enum Held {
    Plain(Vectors),
    Sorted(Clusters),
}

impl Held {
    fn bytes(&self) -> usize {
        match self {
            Held::Plain(vectors) => vectors.bytes(),
            Held::Sorted(clusters) => clusters.bytes(),
        }
    }

    /// The nearest of those that are accepted; where few are, each of them is looked at.
    pub(super) fn nearest(
        &self,
        query: &[f32],
        limit: usize,
        few: bool,
        accept: impl Fn(usize) -> bool,
    ) -> Result<Vec<Near>, WrongLength> {
        match self {
            Held::Plain(vectors) => vectors.nearest(query, limit, accept),
            Held::Sorted(clusters) if few => clusters.exactly(query, limit, accept),
            Held::Sorted(clusters) => clusters.nearest(query, limit, accept),
        }
    }
}

impl Loaded {
    fn bytes(&self) -> usize {
        self.base + self.held().bytes() + self.words.get().map_or(0, WordIndex::bytes)
    }

    /// Its vectors.
    pub(super) fn held(&self) -> Arc<Held> {
        let held = self.held.lock();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its words, when it was asked for with them.
    pub(super) fn words(&self) -> Option<&WordIndex> {
        self.words.get()
    }
}

struct Entry {
    revision: i64,
    loaded: Arc<OnceCell<Arc<Loaded>>>,
    used: u64,
}

pub(super) struct Shelf {
    store: Store,
    entries: Mutex<HashMap<String, Entry>>,
    clock: AtomicU64,
    most: usize,
    clustered: usize,
    /// Held by the one collection that is sorted.
    one: Arc<Mutex<()>>,
}

impl Shelf {
    pub(super) fn new(store: Store) -> Self {
        Shelf {
            store,
            entries: Mutex::default(),
            clock: AtomicU64::new(0),
            most: MAX_BYTES,
            clustered: CLUSTERED,
            one: Arc::default(),
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of a collection.
    pub(super) fn forget(&self, collection_id: &str) {
        self.entries().remove(collection_id);
    }

    /// A collection as it is at the revision of its row or later; those who ask at the same time wait for one load.
    pub(super) async fn vectors(
        &self,
        row: &CollectionRow,
    ) -> Result<Arc<Loaded>, CollectionError> {
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let cell = {
            let mut entries = self.entries();
            let entry = entries.entry(row.id.clone()).or_insert_with(|| Entry {
                revision: row.revision,
                loaded: Arc::default(),
                used,
            });
            if entry.revision < row.revision {
                entry.revision = row.revision;
                entry.loaded = Arc::default();
            }
            entry.used = used;
            entry.loaded.clone()
        };
        let loaded = cell.get_or_try_init(|| self.load(row)).await?.clone();
        self.make_room(&row.id);
        self.sort(&loaded);
        Ok(loaded)
    }

    /// Has the vectors of a large collection sorted; until that is done they are looked at one by one.
    fn sort(&self, loaded: &Arc<Loaded>) {
        let many = loaded.ids.len() >= self.clustered;
        if !many || loaded.sorting.swap(true, Ordering::Relaxed) {
            return;
        }
        let (loaded, one) = (loaded.clone(), self.one.clone());
        // It ends by itself when nobody else has the collection any more, so also when the program ends.
        drop(tokio::task::spawn_blocking(move || {
            let _one = one.lock().unwrap_or_else(PoisonError::into_inner);
            let alone = || Arc::strong_count(&loaded) == 1;
            let held = loaded.held();
            let Held::Plain(vectors) = &*held else {
                return;
            };
            if let Some(clusters) = Clusters::of(vectors, SORTERS, alone) {
                let mut held = loaded.held.lock().unwrap_or_else(PoisonError::into_inner);
                *held = Arc::new(Held::Sorted(clusters));
            }
        }));
    }

    /// The same with its words.
    pub(super) async fn words(&self, row: &CollectionRow) -> Result<Arc<Loaded>, CollectionError> {
        for _ in 0..ATTEMPTS {
            let loaded = self.vectors(row).await?;
            if loaded.words.get().is_some() {
                return Ok(loaded);
            }
            let (index, documents) = self.read_words(row, &loaded).await?;
            if index.len() == loaded.ids.len() && documents {
                // Another may have been quicker with the same.
                let _ = loaded.words.set(index);
                self.make_room(&row.id);
                return Ok(loaded);
            }
            // Documents have come or gone since the vectors were read.
            self.forget(&row.id);
        }
        let reason = "changes too quickly to be searched by words; try again";
        Err(CollectionError::field("collection", reason))
    }

    /// The words of all documents, and whether they are those whose vectors are loaded.
    async fn read_words(
        &self,
        row: &CollectionRow,
        loaded: &Arc<Loaded>,
    ) -> Result<(WordIndex, bool), CollectionError> {
        let of = loaded.clone();
        let made = (WordIndex::default(), true);
        let read =
            self.store
                .fold_collection_texts(&row.id, made, move |(index, same), id, text| {
                    *same &= of.ids.get(index.len()).is_some_and(|known| known == id);
                    index.add(text);
                });
        Ok(read.await?)
    }

    async fn load(&self, row: &CollectionRow) -> Result<Arc<Loaded>, CollectionError> {
        let read = self.store.collection_vectors(&row.id, row.dimensions);
        let read = read.await?;
        let dimensions = row.dimensions;
        blocking(move || {
            let mut vectors = Vectors::new(dimensions);
            vectors.fill(read.flat);
            let metadata: Vec<Map> = read.metadata.iter().map(|m| read_metadata(m)).collect();
            let texts = read.ids.iter().chain(&read.metadata);
            // A parsed key or value takes several times its letters.
            let texts: usize = texts.map(|t| 48 + 4 * t.len()).sum();
            Arc::new(Loaded {
                ids: read.ids,
                metadata,
                held: Mutex::new(Arc::new(Held::Plain(vectors))),
                sorting: AtomicBool::new(false),
                words: OnceCell::new(),
                base: texts,
            })
        })
        .await
    }

    /// Lets go of what was not used for longest, but never of the one that is asked for.
    fn make_room(&self, keep: &str) {
        let mut entries = self.entries();
        loop {
            let held = entries.values().filter_map(|e| e.loaded.get());
            if held.map(|loaded| loaded.bytes()).sum::<usize>() <= self.most {
                return;
            }
            let others = entries
                .iter()
                .filter(|(id, e)| *id != keep && e.loaded.initialized());
            let Some(oldest) = others.min_by_key(|(_, e)| e.used).map(|(id, _)| id.clone()) else {
                return;
            };
            entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_store::{NewCollectionDocument, PutDocuments};

    use super::*;

    async fn filled(store: &Store, name: &str) -> CollectionRow {
        let row = CollectionRow {
            id: name.to_owned(),
            user_id: "u".to_owned(),
            name: name.to_owned(),
            metadata: "{}".to_owned(),
            embedding_model: "m".to_owned(),
            ..CollectionRow::default()
        };
        store.insert_collection(row).await.unwrap();
        put(store, name, "a").await
    }

    async fn put(store: &Store, name: &str, id: &str) -> CollectionRow {
        let document = NewCollectionDocument {
            id: id.to_owned(),
            text: format!("text {id}"),
            metadata: "{}".to_owned(),
            vector: vec![0.5; 4],
        };
        let put = PutDocuments {
            documents: vec![document],
            embedding_model: "m".to_owned(),
            ..PutDocuments::default()
        };
        store
            .put_collection_documents("u", name, put)
            .await
            .unwrap();
        store.get_collection("u", name).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_collection_is_loaded_once_until_it_changes() {
        let store = Store::open_in_memory().unwrap();
        let shelf = Shelf::new(store.clone());
        let row = filled(&store, "c").await;
        let (first, second) = tokio::join!(shelf.vectors(&row), shelf.words(&row));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(second.words().unwrap().len(), 1);
        let row = put(&store, "c", "b").await;
        let third = shelf.words(&row).await.unwrap();
        assert_eq!(third.ids, ["a", "b"]);
        assert!(!Arc::ptr_eq(&first, &third));
    }

    #[tokio::test]
    async fn words_of_documents_that_came_meanwhile_are_not_mixed_with_older_vectors() {
        let store = Store::open_in_memory().unwrap();
        let shelf = Shelf::new(store.clone());
        let row = filled(&store, "c").await;
        assert_eq!(shelf.vectors(&row).await.unwrap().ids, ["a"]);
        put(&store, "c", "b").await;
        // Asked with the row as it was before.
        let loaded = shelf.words(&row).await.unwrap();
        assert_eq!(loaded.ids, ["a", "b"]);
        assert_eq!(loaded.words().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_large_collection_is_sorted_while_it_can_be_searched() {
        let store = Store::open_in_memory().unwrap();
        let mut shelf = Shelf::new(store.clone());
        shelf.clustered = 1;
        let row = filled(&store, "c").await;
        let loaded = shelf.vectors(&row).await.unwrap();
        while matches!(*loaded.held(), Held::Plain(_)) {
            tokio::task::yield_now().await;
        }
        let near = loaded
            .held()
            .nearest(&[0.5; 4], 5, false, |_| true)
            .unwrap();
        assert_eq!(near.len(), 1);
        assert!(Arc::ptr_eq(&loaded, &shelf.vectors(&row).await.unwrap()));
    }

    #[tokio::test]
    async fn the_one_not_used_for_longest_makes_room() {
        let store = Store::open_in_memory().unwrap();
        let mut shelf = Shelf::new(store.clone());
        let (a, b) = (filled(&store, "a").await, filled(&store, "b").await);
        let first = shelf.vectors(&a).await.unwrap();
        shelf.most = first.bytes() + 1;
        shelf.vectors(&b).await.unwrap();
        let held: Vec<String> = shelf.entries().keys().cloned().collect();
        assert_eq!(held, ["b"]);
        shelf.forget("b");
        assert!(shelf.entries().is_empty());
    }
}
