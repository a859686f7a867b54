"""Renting: offers ranked, a machine rented, its cost metered, its end seen to.

Called by `session.engine`, the verbs and the keeper. Promises: nothing is asked of a provider before it is in the ledger
(P1), nothing goes on unseen or past its budget (P2, P3), and what is not known is not called gone.
"""
