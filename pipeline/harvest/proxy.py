"""The proxy through which the portal is reached, by the setting or the environment; loopback never through one."""

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from pipeline.errors import SettingsError
from pipeline.setting_values import is_web_address
from pipeline.settings import Settings


def proxy_of(settings: Settings) -> str | None:
    """The address of the proxy for the portal; None where it is reached directly. Raises SettingsError."""
    if settings.proxy == "none":
        return None
    parts = urlsplit(settings.portal)
    if _is_loopback(parts.hostname or ""):
        return None
    if settings.proxy:
        return settings.proxy
    proxies = getproxies_environment()
    if proxy_bypass(parts.netloc):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    address = proxy if "://" in proxy else f"http://{proxy}"
    if not is_web_address(address):
        raise SettingsError(
            f"the environment names the proxy {without_password(address)}, which is none that can be used; write an "
            "address such as http://proxy.example.org:3128 into the setting proxy, or none to go without"
        )
    return address


def without_password(address: str | None) -> str:
    """A proxy's address as messages show it."""
    scheme, _, rest = (address or "").partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
