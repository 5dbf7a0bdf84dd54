"""What DUMP says of a stream, without the moments in it: when entries were delivered, when consumers were
seen. Everything else of the payload, its listpacks too, stays as it is."""
STREAM = b"\x13"


class _Payload:
    def __init__(self, data):
        self.data, self.at = data, 0
        self.kept = []

    def take(self, count):
        self.at += count
        self.kept.append(self.data[self.at - count:self.at])
        return self.kept[-1]

    def skip_moment(self):
        self.at += 8
        self.kept.append(b"<moment>")

    def length(self):
        """A length, or ("packed",) where a string is in a special form."""
        first = self.take(1)[0]
        form, low = first >> 6, first & 63
        if form == 0:
            return low
        if form == 1:
            return low << 8 | self.take(1)[0]
        if form == 2:
            return int.from_bytes(self.take(8 if low else 4), "big")
        return ("int", 1 << low) if low < 3 else ("packed",)

    def string(self):
        length = self.length()
        if length == ("packed",):
            packed = self.length()
            self.length()
            self.take(packed)
        else:
            self.take(length[1] if isinstance(length, tuple) else length)

    def repeat(self, part):
        for _ in range(self.length()):
            part()


def without_moments(payload):
    """The payload of a stream as bytes to compare; other payloads as they are."""
    if payload[:1] != STREAM:
        return payload
    body = _Payload(payload[:-10])

    def node():
        body.string()
        body.string()

    def nack():
        body.take(16)
        body.skip_moment()
        body.length()

    def consumer():
        body.string()
        body.skip_moment()
        body.repeat(lambda: body.take(16))

    def group():
        body.string()
        for _ in range(3):  # last id, entries read
            body.length()
        body.repeat(nack)
        body.repeat(consumer)

    body.take(1)
    body.repeat(node)
    for _ in range(8):  # length, three ids, entries added
        body.length()
    body.repeat(group)
    assert body.at == len(body.data)
    return b"".join(body.kept) + payload[-10:-8]
