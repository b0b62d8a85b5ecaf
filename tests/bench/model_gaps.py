async def show_rollovers(*a): pass
async def show_failovers(*a): pass
