"""The venue's reasons for saying no, in its words (polymarket-api.md 2.4, 4.2, 10.4), and their HTTP statuses."""

from core.units import micro_text

PAYLOAD = "Invalid order payload"
OWNER = "the order owner has to be the owner of the API KEY"
SIGNER = "the order signer address has to be the address of the API KEY"
MAKER = "maker address not allowed, please use the deposit wallet flow"
VERSION = "invalid order version, please use the latest clob-client"
SIGNATURE = "invalid signature"
EXPIRATION = "invalid expiration"
POST_ONLY_CROSSES = "invalid post-only order: order crosses book"
POST_ONLY_TYPE = "invalid post-only order: post-only is only allowed for GTC and GTD orders"
FOK_MISSED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_MISSED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
MARKET_NOT_FOUND = "market not found"
HELD = "order match delayed due to market conditions"
NOT_READY = "the market is not yet ready to process new orders"
ORDER_NOT_FOUND = "Order not found"
NO_BOOK = "No orderbook exists for the requested token id"
TOKEN = "Invalid token id"
NOT_CANCELED = "order can't be found - already canceled or matched"
L1 = "Invalid L1 Request headers"
L2 = "Unauthorized/Invalid api key"
LIMIT = "Payload exceeds the limit"
VERSION_MISMATCH = "order_version_mismatch"
ALLOWANCE = "not enough balance / allowance"
SIGNATURE_TYPE = "invalid signature_type"
ASSET_TYPE = "invalid asset_type"
CURSOR = "Invalid cursor"
CREATE_KEY = "Could not create api key"
DERIVE_KEY = "Could not derive api key!"
RESTARTING = "service not ready"
POST_ONLY_MODE = "post-only mode: only post-only orders and cancels are allowed"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
TOO_FAST = "Too Many Requests"

_STATUSES = {
    NO_BOOK: 404,
    L1: 401,
    RESTARTING: 425,
    POST_ONLY_MODE: 503,
    CANCEL_ONLY: 503,
    DISABLED: 503,
    TOO_FAST: 429,
}


def duplicated(order_id: str) -> str:
    """The same signed order came again."""
    return f"order {order_id} is invalid. Duplicated."


def off_grid(order_id: str, price: str, tick: str) -> str:
    """The price is no multiple of the tick or out of range."""
    return f"order {order_id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}"


def too_small(order_id: str, size: int, minimum: str) -> str:
    """A resting order below the market's least size; ``size`` in micro-shares."""
    return f"order {order_id} is invalid. Size ({micro_text(size)}) lower than the minimum: {minimum}"


def marketable_minimum(side: str, notional: int) -> str:
    """A marketable order of less than one dollar; ``notional`` in micro-dollars."""
    return f"invalid amount for a marketable {side} order (${micro_text(notional)}), min size: $1"


def no_balance(balance: int, active: int, matched: int, need: int) -> str:
    """Money or tokens do not cover the order; base units, in the short form when nothing else is open."""
    head = f"not enough balance / allowance: the balance is not enough -> balance: {balance}"
    if not active and not matched:
        return f"{head}, order amount: {need}"
    return f"{head}, sum of active orders: {active}, sum of matched orders: {matched}, order amount (inc. fees): {need}"


def closed_only(address: str) -> str:
    """The account may only reduce what it holds."""
    return f"'{address}' address in closed only mode"


def banned(address: str) -> str:
    """The account may not trade at all."""
    return f"'{address}' address banned"


def too_many(count: int, allowed: int) -> str:
    """A batch longer than the venue takes."""
    return f"Too many orders in payload: {count}, max allowed: {allowed}"


def status_of(error: str) -> int:
    """HTTP status of a refusal: the venue derives it from words in the text (polymarket-api.md 4)."""
    if error in _STATUSES:
        return _STATUSES[error]
    lowered = error.lower()
    if "not found" in lowered:
        return 404
    return 401 if "unauthorized" in lowered else 400


def inaccurate(side: str, decimals: int, *, taking: bool) -> str:
    """Amounts with more decimals than the venue keeps; ``decimals`` are those of the collateral (2.3)."""
    maker, taker = (decimals, 2) if side == "BUY" and not taking else (2, decimals)
    return (
        f"invalid amounts, the {'market buy' if side == 'BUY' and taking else side.lower()} orders maker amount "
        f"supports a max accuracy of {maker} decimals, taker amount a max of {taker} decimals"
    )
