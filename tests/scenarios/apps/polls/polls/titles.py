def title(count):
    return f"{count} question" + ("" if count == 1 else "s")
