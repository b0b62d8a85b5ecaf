"""What every layer may use: errors, ids, serial-number arithmetic, interfaces."""
