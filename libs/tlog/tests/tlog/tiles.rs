//! The tree as files.

use std::{cell::RefCell, collections::HashMap};

use proptest::prelude::*;
use tlog::{
    Hash, merkle,
    tile::{self, BundleError, EntriesId, MAX_ENTRY_BYTES, MissingTile, TileError, TileId, TileSource},
};

use crate::leaves;

type Tiles = HashMap<TileId, Vec<Hash>>;

fn id(level: u8, index: u64, width: u16) -> TileId {
    TileId { level, index, width }
}

/// Counts what is read, so that a test can say what was.
struct Watched<'t>(&'t Tiles, RefCell<Vec<TileId>>);

impl TileSource for Watched<'_> {
    type Error = MissingTile;

    fn hashes(&self, tile: TileId) -> Result<Vec<Hash>, MissingTile> {
        self.1.borrow_mut().push(tile);
        self.0.hashes(tile)
    }
}

fn reads<T>(tiles: &Tiles, run: impl FnOnce(&Watched<'_>) -> T) -> (T, Vec<TileId>) {
    let source = Watched(tiles, RefCell::default());
    let outcome = run(&source);
    (outcome, source.1.into_inner())
}

#[test]
fn seventy_thousand_leaves_lie_in_three_levels() {
    let tiles = tile::tiles_for_growth(0, 70_000);
    let mut expected: Vec<TileId> = (0..273).map(|index| id(0, index, 256)).collect();
    expected.extend([id(0, 273, 112), id(1, 0, 256), id(1, 1, 17), id(2, 0, 1)]);
    assert_eq!(tiles, expected);
    assert_eq!(tile::right_edge(70_000), [id(0, 273, 112), id(1, 1, 17), id(2, 0, 1)]);
    assert_eq!(tile::tiles_for_growth(70_000, 70_000), []);
    assert_eq!(tile::tiles_for_growth(70_000, 1), []);
    assert_eq!(tile::tiles_for_growth(69_999, 70_000), [id(0, 273, 112)]);
    assert_eq!(tile::tiles_for_growth(69_887, 69_888), [id(0, 272, 256), id(1, 1, 17)]);
    assert_eq!(tile::tiles_for_growth(u64::MAX - 1, u64::MAX).len(), 1);
}

#[test]
fn roots_and_proofs_of_seventy_thousand_leaves() {
    let all = leaves(70_000);
    let tiles: Tiles = tile::grow(&Tiles::new(), 0, &all).unwrap().into_iter().collect();
    assert_eq!(tiles.len(), 277);
    let root = merkle::root(&all);
    assert_eq!(tile::root(&tiles, 70_000).unwrap(), root);
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999] {
        let path = tile::inclusion_path(&tiles, index, 70_000).unwrap();
        merkle::verify_inclusion(&all[index as usize], index, 70_000, &path, &root).unwrap();
        let old = merkle::root(&all[..index as usize]);
        let proof = tile::consistency_proof(&tiles, index, 70_000).unwrap();
        merkle::verify_consistency(index, 70_000, &old, &root, &proof).unwrap();
    }
}

#[test]
fn what_will_be_read_is_known_beforehand_and_read_once() {
    let all = leaves(70_000);
    let tiles: Tiles = tile::grow(&Tiles::new(), 0, &all).unwrap().into_iter().collect();
    let (_, read) = reads(&tiles, |source| tile::root(source, 70_000).unwrap());
    assert_eq!(read, tile::tiles_for_root(70_000));
    let (_, read) = reads(&tiles, |source| tile::inclusion_path(source, 300, 70_000).unwrap());
    assert_eq!(read, tile::tiles_for_inclusion(300, 70_000));
    assert_eq!(read.len(), read.iter().collect::<std::collections::BTreeSet<_>>().len());
    let (_, read) = reads(&tiles, |source| tile::consistency_proof(source, 300, 70_000).unwrap());
    assert_eq!(read, tile::tiles_for_consistency(300, 70_000));
    assert_eq!(tile::tiles_for_inclusion(5, 5), []);
    assert_eq!(tile::tiles_for_consistency(6, 5), []);
    let (_, read) = reads(&tiles, |source| tile::grow(source, 70_000, &all[..300]).unwrap());
    assert!(read.iter().all(|tile| tile::right_edge(70_000).contains(tile)), "{read:?}");
}

#[test]
fn wrong_tiles_and_ranges_are_errors() {
    let empty = Tiles::new();
    let missing = TileError::Source(MissingTile(id(0, 0, 5)));
    assert_eq!(tile::root(&empty, 5), Err(missing.clone()));
    assert_eq!(tile::grow(&empty, 5, &leaves(1)), Err(missing));
    let short = Tiles::from([(id(0, 0, 5), leaves(4))]);
    let width = TileError::Width { tile: id(0, 0, 5), found: 4 };
    assert_eq!(tile::root(&short, 5), Err(width));
    assert_eq!(tile::inclusion_path(&empty, 5, 5), Err(TileError::OutOfRange));
    assert_eq!(tile::consistency_proof(&empty, 6, 5), Err(TileError::OutOfRange));
    assert_eq!(tile::grow(&empty, u64::MAX, &leaves(1)), Err(TileError::OutOfRange));
    assert_eq!(tile::consistency_proof(&empty, 0, 5), Ok(vec![]));
    tile::inclusion_path(&empty, u64::MAX - 1, u64::MAX).unwrap_err();
}

#[test]
fn paths_have_one_spelling() {
    let cases = [
        (id(0, 0, 256), "tile/0/000"),
        (id(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8"),
        (id(63, 1_000, 255), "tile/63/x001/000.p/255"),
        (id(1, u64::MAX, 1), "tile/1/x018/x446/x744/x073/x709/x551/615.p/1"),
    ];
    for (tile, path) in cases {
        assert_eq!(tile.path(), path);
        assert_eq!(TileId::parse(path), Some(tile));
    }
    let bundle = EntriesId { index: 1_234_067, width: 8 };
    assert_eq!(bundle.path(), "tile/entries/x001/x234/067.p/8");
    assert_eq!(EntriesId::parse(&bundle.path()), Some(bundle));
    let refused = [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/64/000",
        "tile/00/000",
        "tile/-1/000",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/xx01/000",
        "tile/0/+01",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/08",
        "tile/0/000.p/",
        "tile/0/000.p/1.p/1",
        "tile/0/000/",
        "tile/0/000.p/1/",
        "tile/0/../000",
        "tile/entries/000",
        "tile/1/x018/x446/x744/x073/x709/x551/616",
    ];
    for path in refused {
        assert_eq!(TileId::parse(path), None, "{path}");
    }
    assert_eq!(EntriesId::parse("tile/0/000"), None);
}

#[test]
fn bundles_hold_1_to_256_entries_of_at_most_65_535_bytes() {
    let long = vec![7; MAX_ENTRY_BYTES];
    let entries = [b"ab".as_slice(), b"", &long];
    let bundle = tile::entry_bundle(&entries).unwrap();
    assert_eq!(bundle[..7], [0, 2, b'a', b'b', 0, 0, 0xff]);
    assert_eq!(tile::parse_entry_bundle(&bundle, 3).unwrap(), entries);
    assert_eq!(tile::parse_entry_bundle(&bundle, 2), Err(BundleError::LeftOver));
    assert_eq!(tile::parse_entry_bundle(&bundle, 4), Err(BundleError::Truncated));
    let cut = &bundle[..bundle.len() - 1];
    assert_eq!(tile::parse_entry_bundle(cut, 3), Err(BundleError::Truncated));
    assert_eq!(tile::parse_entry_bundle(&[], 0), Err(BundleError::Width));
    assert_eq!(tile::parse_entry_bundle(&[0; 1000], 257), Err(BundleError::Width));
    assert_eq!(tile::entry_bundle(&[]), None);
    assert_eq!(tile::entry_bundle(&[&[0; MAX_ENTRY_BYTES + 1]]), None);
    assert_eq!(tile::entry_bundle(&[b"".as_slice(); 257]), None);
    assert_eq!(tile::entry_bundle(&[b"".as_slice(); 256]).unwrap().len(), 512);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn growing_in_steps_gives_the_tiles_of_growing_at_once(
        steps in prop::collection::vec(0..700_usize, 1..6),
    ) {
        let all = leaves(steps.iter().sum::<usize>() as u64);
        let (mut tiles, mut size) = (Tiles::new(), 0);
        for step in steps {
            let (old, new) = (size as u64, (size + step) as u64);
            let grown = tile::grow(&tiles, old, &all[size..size + step]).unwrap();
            let ids: Vec<TileId> = grown.iter().map(|(tile, _)| *tile).collect();
            prop_assert_eq!(ids, tile::tiles_for_growth(old, new));
            tiles.extend(grown);
            size += step;
            for (tile, hashes) in tile::grow(&Tiles::new(), 0, &all[..size]).unwrap() {
                prop_assert_eq!(&tiles[&tile], &hashes);
            }
            prop_assert_eq!(tile::root(&tiles, new).unwrap(), merkle::root(&all[..size]));
        }
    }
}

proptest! {
    #[test]
    fn paths_round_trip(level in 0..64_u8, index: u64, width in 1..=256_u16) {
        let tile = id(level, index, width);
        prop_assert_eq!(TileId::parse(&tile.path()), Some(tile));
        let entries = EntriesId { index, width };
        prop_assert_eq!(EntriesId::parse(&entries.path()), Some(entries));
    }

    #[test]
    fn bundles_round_trip(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..256),
    ) {
        let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let bundle = tile::entry_bundle(&slices).unwrap();
        prop_assert_eq!(tile::parse_entry_bundle(&bundle, entries.len() as u16), Ok(entries));
    }
}
