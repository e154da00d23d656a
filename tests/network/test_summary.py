from nas_surgery.network import Dropout, Flatten, Normalize
from nas_surgery.testing.builders import Unbiased, build

NETWORK = build((2, 3), Normalize(0.5, 2.0), Unbiased(30), "relu", Dropout(0.25), Flatten(), 25)

TABLE = """
address  layer               output  parameters   MACs
      0  Normalize           2×3              0      0
      1  Dense               2×30            90    180
      2  Activation relu     2×30             0      0
      3  Dropout 0.25        2×30             0      0
      4  Flatten             60               0      0
      5  Dense               25           1,525  1,500
         input 2×3, float64  total        1,615  1,680
"""


def test_the_summary_lists_every_address():
    """One aligned line per layer, with output shape, parameters and MACs, and the totals."""
    assert NETWORK.summary().splitlines() == TABLE.strip("\n").splitlines()
