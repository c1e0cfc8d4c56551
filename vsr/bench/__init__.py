"""How fast this machine is: its peak, the network's share of it, each stage alone, the whole."""
