//! The generator: ChaCha20 keyed by the seed, one keystream for each purpose.

use chacha20::{ChaCha20, KeyIvInit, cipher::StreamCipher};
use tlog::sha256;
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"trialseal/allocation-keystream@v1 sha256\n";
const BLOCK: usize = 64;

/// The keystream of ChaCha20 (RFC 8439 section 2.4) from block 0 on.
pub(crate) struct Keystream {
    cipher: ChaCha20,
    block: Zeroizing<[u8; BLOCK]>,
    used: usize,
}

impl Keystream {
    /// The keystream for one purpose: its nonce is the first 12 bytes of SHA-256 of a magic line and the label.
    pub(crate) fn new(seed: &[u8; 32], label: &str) -> Self {
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().zip(sha256(&[MAGIC, label.as_bytes()]).0) {
            *to = from;
        }
        Self::with_nonce(seed, &nonce)
    }

    fn with_nonce(seed: &[u8; 32], nonce: &[u8; 12]) -> Self {
        Self { cipher: ChaCha20::new(seed.into(), nonce.into()), block: Zeroizing::new([0; BLOCK]), used: BLOCK }
    }

    /// The next `N` bytes. `N` divides 64, so that no value spans two blocks.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N > 0 && BLOCK.is_multiple_of(N)) };
        if self.used + N > BLOCK {
            // A list takes less than 2^22 of a keystream's 2^38 bytes, so the cipher never refuses.
            self.cipher.try_write_keystream(&mut *self.block).unwrap_or_default();
            self.used = 0;
        }
        let taken = self.block.get(self.used..).and_then(|rest| rest.first_chunk()).copied();
        self.used += N;
        taken.unwrap_or([0; N])
    }

    /// A uniform integer below `n`: little-endian words of the keystream, the first that is below the largest multiple of
    /// `n` in 2^32, modulo `n`. Takes at least one word, also for `n` = 1.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let n = n.max(1);
        let excess = (u32::MAX % n + 1) % n;
        loop {
            let word = u32::from_le_bytes(self.bytes());
            if word <= u32::MAX - excess {
                return word % n;
            }
        }
    }

    /// One of the indices of `masses`, each as likely as its share of their sum (at most 2^32 − 1): an integer below the
    /// sum, and the first index at which the masses so far exceed it.
    pub(crate) fn pick(&mut self, masses: &[u32]) -> usize {
        let mut rest = self.below(masses.iter().fold(0, |sum, mass| sum.saturating_add(*mass)));
        for (index, mass) in masses.iter().enumerate() {
            match rest.checked_sub(*mass) {
                Some(less) => rest = less,
                None => return index,
            }
        }
        0 // only if all masses are 0
    }

    /// Shuffles: for i from the last place down to 1, swaps the places i and `below(i + 1)` (Fisher and Yates, in Durstenfeld's
    /// form).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(u32::try_from(last + 1).unwrap_or(u32::MAX));
            items.swap(last, usize::try_from(other).unwrap_or(last));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(from: impl Iterator<Item = u8>) -> [u8; 32] {
        from.take(32).collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn block_1_of_rfc_8439_section_2_3_2() {
        let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
        let mut keystream = Keystream::with_nonce(&key(0..), &nonce);
        keystream.bytes::<64>(); // the section's counter is 1, ours begins at 0
        let expected = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e\
                        d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e";
        assert_eq!(hex::encode(keystream.bytes::<64>()), expected);
    }

    #[test]
    fn the_first_blocks_of_rfc_8439_appendix_a_1() {
        let mut keystream = Keystream::with_nonce(&[0; 32], &[0; 12]);
        let expected = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
                        da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586";
        let words: String = (0..16).map(|_| hex::encode(keystream.bytes::<4>())).collect();
        assert_eq!(words, expected);
        assert_eq!(hex::encode(keystream.bytes::<16>()), "9f07e7be5551387a98ba977c732d080d");
    }

    #[test]
    fn each_purpose_has_its_own_keystream() {
        let first = |seed, label| Keystream::new(&[seed; 32], label).bytes::<16>();
        assert_eq!(first(1, "arms 0"), first(1, "arms 0"));
        assert_ne!(first(1, "arms 0"), first(1, "arms 1"));
        assert_ne!(first(1, "arms 0"), first(2, "arms 0"));
    }

    #[test]
    fn words_above_the_largest_multiple_are_rejected() {
        // For n = 2^31 + 1 nearly half of all words are: the answers skip exactly those.
        let (seed, n) = ([7; 32], (1_u32 << 31) + 1);
        let (mut raw, mut drawn) = (Keystream::new(&seed, "x"), Keystream::new(&seed, "x"));
        let words = std::iter::repeat_with(|| u32::from_le_bytes(raw.bytes())).take(1_000);
        let kept: Vec<u32> = words.filter(|word| *word < n).collect();
        assert!(kept.len() < 600, "{}", kept.len());
        assert!(kept.iter().all(|word| drawn.below(n) == *word));
    }

    #[test]
    fn drawing_below_one_takes_a_word_and_below_zero_does_not_panic() {
        let (mut one, mut raw) = (Keystream::new(&[9; 32], "x"), Keystream::new(&[9; 32], "x"));
        assert_eq!((one.below(1), one.below(0)), (0, 0));
        raw.bytes::<8>();
        assert_eq!(one.bytes::<4>(), raw.bytes::<4>());
        assert_eq!(one.pick(&[0, 0]), 0);
    }

    #[test]
    fn every_permutation_of_four_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        let mut keystream = Keystream::new(&[3; 32], "permutations");
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            keystream.shuffle(&mut items);
            *counts.entry(items).or_insert(0_i64) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Expected 1000 of each; chi-square with 23 degrees of freedom exceeds 70.55 in one of 10^6 cases.
        let squares: i64 = counts.values().map(|count| (count - 1_000).pow(2)).sum();
        assert!(squares < 70_550, "{squares}: {counts:?}");
    }
}
