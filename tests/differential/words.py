"""Keys, numbers and values that random commands choose from."""

ODD_KEYS = [b"", b"sp ace", b"\x00\xff"]
NUMBERS = [b"0", b"1", b"-1", b"5", b"10", b"100", b"-7", b"9223372036854775807", b"-9223372036854775808",
           b"9223372036854775808", b"1.5", b"-0.25", b"1e3", b"abc", b"", b" 1", b"nan"]
VALUES = [b"", b"a", b"hello world", b"12345", b"-9", b"3.14", b"\x00\x01\xff", b"x" * 44, b"y" * 45, b"z" * 1000]
FAR_AT = [b"33177117420", b"4102444800"]
FAR_AT_MS = [b"33177117420000", b"4102444800123"]
PAST = [b"0", b"-1", b"1"]
