"""The demo city 模拟青岛: `city.load` builds it, `movement.simulate` moves its units. Everything generated is marked simulated."""
