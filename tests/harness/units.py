"""Numbered units of writing, single writes and transactions in turn, each of which changes what every earlier one wrote. So the
data tell how many of them they hold, and any data that no number of whole units makes is a half transaction or damage."""
DATABASES = (0, 3, 9)


def unit(number):
    """The commands of a unit, and its database."""
    db, mark = DATABASES[number % 3], f"{number:06d}"
    if number % 2:
        return db, [("SET", "last", mark)]
    return db, [("MULTI",), ("SET", "a", mark), ("RPUSH", "list", mark), ("SET", "last", mark), ("SET", "b", mark), ("EXEC",)]


def data_of(units):
    """What the databases hold after so many units."""
    data = {db: {} for db in DATABASES}
    for number in range(1, units + 1):
        db, commands = unit(number)
        for name, *arguments in commands:
            if name == "SET":
                data[db][arguments[0]] = arguments[1].encode()
            elif name == "RPUSH":
                data[db].setdefault(arguments[0], []).append(arguments[1].encode())
    return data


def data_in(connection):
    data = {}
    for db in DATABASES:
        connection.call("SELECT", db)
        data[db] = {key.decode(): connection.call("LRANGE", key, 0, -1) if key == b"list" else bytes(connection.call("GET", key))
                    for key in connection.call("KEYS", "*")}
    return data


def units_in(data, at_least, at_most, what):
    """How many units these data are made of: a whole number within these bounds."""
    last = max((int(values["last"]) for values in data.values() if "last" in values), default=0)
    assert data == data_of(last), f"{what}: not the data of {last} whole units: {data}"
    assert at_least <= last <= at_most, f"{what}: {at_least} units were promised, {at_most} sent, {last} are there"
    return last
