"""The retry budget: a burst plus a share of the traffic."""

from serve_app.graph.retry_budget import RetryBudget


def spent(budget: RetryBudget) -> int:
    """Spends the budget; returns how many retries it allowed."""
    count = 0
    while budget.spend():
        count += 1
    return count


def test_a_burst_and_no_more() -> None:
    budget = RetryBudget(burst=5)
    assert spent(budget) == 5
    assert spent(budget) == 0


def test_traffic_earns_a_tenth() -> None:
    budget = RetryBudget(burst=5)
    spent(budget)
    for _ in range(25):
        budget.earn()
    assert spent(budget) == 2


def test_what_is_not_spent_does_not_grow_beyond_the_burst() -> None:
    budget = RetryBudget(burst=5)
    for _ in range(1000):
        budget.earn()
    assert spent(budget) == 5
