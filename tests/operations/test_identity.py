from hypothesis import given

from nas_surgery.operations import Identity
from nas_surgery.testing.networks import networks


@given(networks())
def test_identity_changes_nothing_at_all(network):
    """The very same object, exactly."""
    surgery = Identity().apply(network)
    assert surgery.network is network
    assert surgery.promise.exact
