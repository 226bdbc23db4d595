//! Rules 3: by which rules a study is judged. The journals of a service that accepted what rules 3 refuse are in the unit tests
//! of the verifier, which make the vectors of `docs/vectors/rules-3` by leaving out one check at a time.

use crate::world::World;

#[test]
fn a_policy_tells_by_which_rules_a_study_is_judged() {
    // The same journals under an identifier that is not bound to the root key are judged by the rules before.
    let mut world = World::third();
    assert_eq!(world.study.rules(&world.root.public()), Some(3));
    world.study.0[5] ^= 1;
    assert_eq!(world.study.rules(&world.root.public()), None);
}
