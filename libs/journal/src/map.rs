//! The state map's nodes, kept for good under their hashes: a proof at any past entry is one walk from its root.

use crate::{ReadError, store};
use database::{MAX_VALUES, Statement};
use moka::sync::Cache;
use seal::{
    Hash,
    id::StreamId,
    map::{EMPTY, Node, Path, Terminal, turns_right},
};
use sqlx::{AnyConnection, Row as _};
use std::collections::HashMap;

/// Nodes made in the running transaction and not written yet.
pub(crate) type Fresh = HashMap<Hash, Node>;

/// Nodes read before, nonces of entries and rows of streams, in memory. None ever changes, whichever replica wrote it: a
/// node is found by its own hash.
#[derive(Clone)]
pub(crate) struct MapCache {
    nodes: Cache<Hash, Node>,
    pub(crate) nonces: Cache<(i64, u64), [u8; 16]>,
    pub(crate) rows: Cache<StreamId, i64>,
}

/// The most nodes, the most nonces and the most rows in memory.
const KNOWN: u64 = 200_000;

impl Default for MapCache {
    fn default() -> Self {
        Self { nodes: Cache::new(KNOWN), nonces: Cache::new(KNOWN), rows: Cache::new(KNOWN) }
    }
}

/// The way of `key` in the map with `root`.
pub(crate) async fn path(
    connection: &mut AnyConnection,
    known: &MapCache,
    fresh: &Fresh,
    root: Hash,
    key: &Hash,
) -> Result<Path, ReadError> {
    let (mut siblings, mut at) = (Vec::new(), root);
    while at != EMPTY {
        let node = match fresh.get(&at).copied().or_else(|| known.nodes.get(&at)) {
            Some(node) => node,
            None => {
                let node = load(connection, &at).await?;
                known.nodes.insert(at, node);
                node
            }
        };
        match node {
            Node::Leaf(key, value) => return Ok(Path { siblings, terminal: Terminal::Leaf { key, value } }),
            Node::Inner(left, right) => {
                let right_turn = turns_right(key, siblings.len());
                siblings.push(if right_turn { left } else { right });
                at = if right_turn { right } else { left };
            }
        }
        if siblings.len() > 256 {
            return Err(ReadError::Broken);
        }
    }
    Ok(Path { siblings, terminal: Terminal::Empty })
}

async fn load(connection: &mut AnyConnection, hash: &Hash) -> Result<Node, ReadError> {
    let row = sqlx::query("SELECT leaf, first, second FROM map_node WHERE hash = $1")
        .bind(hash.0.to_vec())
        .fetch_optional(connection)
        .await?
        .ok_or(ReadError::Broken)?;
    let (first, second) = (store::hash(&row, "first")?, store::hash(&row, "second")?);
    let is_leaf = row.try_get::<i64, _>("leaf")? != 0;
    let node = if is_leaf { Node::Leaf(first, second) } else { Node::Inner(first, second) };
    if hash_of(&node) == *hash { Ok(node) } else { Err(ReadError::Broken) }
}

fn hash_of(node: &Node) -> Hash {
    match node {
        Node::Leaf(key, value) => seal::map::leaf(key, value),
        Node::Inner(left, right) => seal::map::node(left, right),
    }
}

/// Writes fresh nodes, in the order of their hashes: so two replicas that write the same one never wait for each other.
pub(crate) async fn add(connection: &mut AnyConnection, fresh: &Fresh) -> Result<(), sqlx::Error> {
    let mut nodes: Vec<(&Hash, &Node)> = fresh.iter().collect();
    nodes.sort_unstable_by_key(|(hash, _)| hash.0);
    for some in nodes.chunks(MAX_VALUES / 4) {
        let mut insert = Statement::new("INSERT INTO map_node (hash, leaf, first, second) VALUES ");
        insert.rows(some, |row, (hash, node)| {
            let (leaf, first, second) = match node {
                Node::Leaf(key, value) => (1_i16, key, value),
                Node::Inner(left, right) => (0, left, right),
            };
            row.value(hash.0.to_vec()).value(leaf).value(first.0.to_vec()).value(second.0.to_vec());
        });
        insert.push(" ON CONFLICT (hash) DO NOTHING");
        insert.execute(connection).await?;
    }
    Ok(())
}
