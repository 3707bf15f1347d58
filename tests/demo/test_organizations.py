"""Organizations and workspaces run on the playground, in a real browser against the real server."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.browser import Demo, choose, follow, in_a_browser, sign_in_as_staff
from tests.support.dns import DnsServer
from tests.support.playground import (
    fits,
    picture_file,
    said,
    sign_in,
    sign_up,
    type_credentials,
    use_a_phone,
    verify_address,
)
from tests.support.playground_organizations import (
    PASSWORD,
    confirm,
    follow_the_link,
    invite,
    member,
    open_organization,
    own_roles,
    panel,
    places,
    set_role,
)


@in_a_browser
def test_from_inviting_somebody_by_mail_to_removing_them(
    page: Page, other_page: Page, demo: Demo, name_server: DnsServer
) -> None:
    address = "ingrid@people.example"
    sign_in(page, demo, "elodie")
    create_organization(page, "Fjord & Sønn")
    panel(page, "Your workspaces here").get_by_label("Another workspace").fill("Verft")
    panel(page, "Your workspaces here").get_by_role("button", name="Create").click()
    said(page, "Verft is created")
    invite(page, address, workspace="Verft")
    expect(page.locator("#invitations")).to_contain_text(f"{address}Member, Member in Verft; by Élodie Šimůnková")

    invited = other_page
    follow_the_link(invited, demo, address)
    expect(invited.locator("#invitation-message")).to_contain_text(f"for {address}; sign up with that address")
    invited.get_by_role("button", name="Sign up with that address").click()
    form = invited.locator("#sign-up-form")
    expect(form.get_by_label("E-mail address")).to_have_value(address)
    form.get_by_label("First name").fill("Ingrid")
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_role("button").click()
    verify_address(invited, address)
    expect(invited.locator("#invitation-places a")).to_have_text(["Fjord & Sønn", "Verft"])
    assert (own_roles(invited), places(invited)) == (["Member"], {"Verft": ["Member"]})

    page.reload()
    expect(page.locator("#invitations")).to_have_text("None is open.")
    set_role(page, "Ingrid", "Admin")
    said(page, "Ingrid has the role Admin now.")
    assert sorted(own_roles(invited)) == ["Admin", "Member"]
    set_role(page, "Ingrid", "Admin")
    said(page, "Ingrid has lost the role Admin.")
    assert own_roles(invited) == ["Member"]
    page.get_by_role("link", name="Verft").click()
    expect(page.locator("#place-title")).to_have_text("Verft")
    set_role(page, "Ingrid", "Admin")
    said(page, "Ingrid has the role Admin now.")
    assert sorted(places(invited)["Verft"]) == ["Admin", "Member"]
    invited.locator("#invitation-places").get_by_role("link", name="Verft").click()
    invite(invited, "nils@people.example")
    expect(invited.locator("#invitations")).to_contain_text("nils@people.exampleMember, Member in Verft; by Ingrid")
    set_role(page, "Ingrid", "Admin")
    said(page, "Ingrid has lost the role Admin.")
    assert places(invited) == {"Verft": ["Member"]}
    member(page, "Ingrid").get_by_role("button", name="Remove").click()
    confirm(page, "Remove", about="remove Ingrid from Verft?")
    said(page, "Ingrid is removed.")
    assert (own_roles(invited), places(invited)) == (["Member"], {})

    page.locator("#place-above").get_by_role("link").click()
    expect(page.locator("#place-title")).to_have_text("Fjord & Sønn")
    member(page, "Ingrid").get_by_role("button", name="Remove").click()
    confirm(page, "Remove", about="from Fjord & Sønn and from all of its workspaces?")
    said(page, "Ingrid is removed.")
    assert own_roles(invited) == []
    follow_the_link(invited, demo, "nils@people.example")
    expect(invited.locator("#invitation-message")).to_contain_text("Whoever invited you may not do so any more")

    invited.context.clear_cookies()
    join_by_domain(page, invited, demo, name_server)
    page.get_by_role("button", name="Leave the organization").click()
    confirm(page, "Leave", about="leave Fjord & Sønn")
    said(page, "an organization cannot lose its last one. (40901)")


def create_organization(page: Page, name: str) -> None:
    page.get_by_role("link", name="Organizations", exact=True).click()
    form = page.locator("#new-organization-form")
    form.get_by_label("Name").fill(name)
    form.get_by_role("button").click()
    said(page, f"{name} is created")
    expect(page.locator("#place-title")).to_have_text(name)
    expect(page.locator("#place-own-roles")).to_have_text("Admin")


def join_by_domain(page: Page, joining: Page, demo: Demo, name_server: DnsServer) -> None:
    domains = panel(page, "Domains")
    domains.get_by_label("Another domain").fill("fjord.example")
    domains.get_by_role("button", name="Add").click()
    said(page, "fjord.example is added.")
    name, data = domains.locator("code").all_inner_texts()
    domains.get_by_role("button", name="Verify: fjord.example").click()
    said(page, "(40009)")
    name_server.txt(name, data)
    demo.sql("UPDATE organizations_organizationdomain SET last_attempt_at = NULL")
    domains.get_by_role("button", name="Verify: fjord.example").click()
    said(page, "fjord.example is verified.")
    expect(domains.locator("code")).to_have_count(0)

    sign_up(joining, demo, "olav@fjord.example", PASSWORD)
    joining.get_by_role("link", name="Organizations", exact=True).click()
    expect(joining.locator("#organization-cards li").first).to_contain_text("Fjord & Sønn")
    assert own_roles(joining) == ["Member"]
    domains.get_by_role("button", name="Remove: fjord.example").click()
    confirm(page, "Remove", about="Members who joined by it stay.")
    said(page, "fjord.example is removed.")
    expect(member(page, "olav@fjord.example")).to_be_visible()


@in_a_browser
def test_invitations_are_accepted_by_whoever_has_the_address(page: Page, other_page: Page, demo: Demo) -> None:
    sign_in(page, demo, "elodie")
    create_organization(page, "Nordvind")
    invite(page, "bo@demo.example")
    invitations = panel(page, "Invitations")
    demo.sql("UPDATE memberships_organizationinvitation SET expires_at = now() WHERE email = 'bo@demo.example'")
    page.reload()
    expect(page.locator("#invitations > li")).to_contain_text("expired")
    follow_the_link(other_page, demo, "bo@demo.example")
    expect(other_page.locator("#invitation-message")).to_have_text("This invitation has expired; ask for a new one.")
    invitations.get_by_role("button", name="Send again: bo@demo.example").click()
    said(page, "on its way to bo@demo.example again")
    expect(page.locator("#invitations > li")).not_to_contain_text("expired")

    follow_the_link(other_page, demo, "bo@demo.example")
    other_page.get_by_role("button", name="Sign in with that address").click()
    expect(other_page.get_by_label("E-mail address or username")).to_have_value("bo@demo.example")
    type_credentials(other_page, "bo", demo.password)
    expect(other_page.locator("#invitation-message")).to_have_text("You are a member of Nordvind now.")
    other_page.get_by_role("link", name="Nordvind").click()
    expect(other_page.locator("#place-own-roles")).to_have_text("Member")

    page.reload()
    expect(member(page, "Bo Nguyễn")).to_be_visible()
    invite(page, "chioma@demo.example")
    follow_the_link(other_page, demo, "chioma@demo.example")
    expect(other_page.locator("#invitation-message")).to_contain_text("sign in with that address")
    other_page.get_by_role("button", name="Sign out, and sign in with that address").click()
    expect(other_page.locator("#sign-in-title")).to_be_focused()
    type_credentials(other_page, "chioma", demo.password)
    expect(other_page.locator("#invitation-message")).to_have_text("You are a member of Nordvind now.")
    invite(page, "dmitri@demo.example")
    invitations.get_by_role("button", name="Discard: dmitri@demo.example").click()
    confirm(page, "Discard", about="Its link is void then.")
    said(page, "The invitation to dmitri@demo.example is discarded.")
    follow_the_link(other_page, demo, "dmitri@demo.example")
    expect(other_page.locator("#invitation-message")).to_have_text("This invitation was withdrawn; ask for a new one.")
    expect(other_page.locator("#who-name")).to_have_text("Chioma Okafor")
    other_page.get_by_role("button", name="Sign out", exact=True).click()
    expect(other_page.locator("#sign-in-title")).to_be_focused()


@in_a_browser
def test_an_invitation_of_staff_leads_to_the_sign_up(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)
    page.goto(f"{demo.base_url}/admin/accounts/signupinvitation/add/")
    choose(page, page.locator("#id_deployment"), "Demo")
    page.locator("#id_email").fill("sigrid@people.example")
    follow(page, page.get_by_role("button", name="Save", exact=True))
    follow_the_link(page, demo, "sigrid@people.example")
    page.get_by_role("button", name="Sign up with that address").click()
    page.locator("#sign-up-form").get_by_label("Password").fill(PASSWORD)
    page.locator("#sign-up-form").get_by_role("button").click()
    verify_address(page, "sigrid@people.example")
    expect(page.locator("#memberships-title")).to_be_focused()
    assert demo.sql("SELECT accepted_at IS NOT NULL FROM accounts_signupinvitation") == [(True,)]


@in_a_browser
def test_an_administrator_runs_roles_settings_and_workspaces(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "elodie")
    create_organization(page, "Šimůnková & Co")

    roles = panel(page, "Roles")
    roles.get_by_label("Another role").fill("Member")
    roles.get_by_role("button", name="Create the role").click()
    said(page, "There is a role called “Member” already; choose another name. (40004)")
    roles.get_by_label("Another role").fill("Deputy")
    roles.get_by_role("checkbox", name="organization:admin").check()
    roles.get_by_role("button", name="Create the role").click()
    said(page, "There is a role Deputy now.")
    set_role(page, "Élodie Šimůnková", "Deputy")
    said(page, "Élodie Šimůnková has the role Deputy now.")
    remove = roles.get_by_role("button", name="Remove: Deputy")
    remove.click()
    confirm(page, "Cancel", about="the role Deputy?")
    remove.click()
    confirm(page, "Remove", about="the role Deputy?")
    said(page, "(40902)")
    set_role(page, "Élodie Šimůnková", "Admin")
    said(page, "Élodie Šimůnková has lost the role Admin.")
    last = set_role(page, "Élodie Šimůnková", "Deputy")
    said(page, "an organization cannot lose its last one. (40901)")
    expect(last).to_be_checked()

    panel(page, "Your workspaces here").get_by_label("Another workspace").fill("Atelier")
    panel(page, "Your workspaces here").get_by_role("button", name="Create").click()
    said(page, "Atelier is created")
    settings = panel(page, "Settings")
    settings.get_by_label("Description").fill("Accounts & audits")
    settings.get_by_label("Picture", exact=True).set_input_files(picture_file())
    settings.get_by_label("Workspace that new members also join").select_option("Atelier")
    settings.get_by_label("Allow members only from these networks").check()
    settings.get_by_label("Networks or addresses").fill("192.0.2.0/24\nnowhere")
    settings.get_by_role("button", name="Save the settings").click()
    said(page, "nowhere")
    settings.get_by_label("Networks or addresses").fill("192.0.2.0/24\n2001:db8::/32")
    settings.get_by_role("button", name="Save the settings").click()
    said(page, "The settings are saved.")
    expect(page.locator("#place-picture img")).to_have_js_property("naturalWidth", 40)
    page.reload()
    expect(page.locator("#place-description")).to_have_text("Accounts & audits")
    expect(settings.get_by_label("Networks or addresses")).to_have_value("192.0.2.0/24\n2001:db8::/32")
    expect(settings.get_by_label("Workspace that new members also join").locator(":checked")).to_have_text("Atelier")
    settings.get_by_label("Remove the picture").check()
    settings.get_by_label("Allow members only from these networks").uncheck()
    settings.get_by_label("Networks or addresses").fill("")
    settings.get_by_role("button", name="Save the settings").click()
    said(page, "The settings are saved.")
    expect(page.locator("#place-picture")).to_have_text("Š")

    page.get_by_role("link", name="Atelier").click()
    expect(page.locator("#place-title")).to_have_text("Atelier")
    panel(page, "Settings").get_by_label("Members need MFA to enter").check()
    panel(page, "Settings").get_by_role("button", name="Save the settings").click()
    said(page, "The settings are saved.")
    assert demo.sql("SELECT enforce_2fa FROM organizations_workspace WHERE name = 'Atelier'") == [(True,)]
    page.get_by_role("button", name="Delete the workspace").click()
    confirm(page, "Delete", about="delete Atelier?")
    said(page, "Atelier is deleted.")
    expect(page.locator("#workspaces")).to_have_text("None yet.")

    page.get_by_role("button", name="Leave the organization").click()
    confirm(page, "Leave", about="leave Šimůnková & Co")
    said(page, "an organization cannot lose its last one. (40901)")
    page.get_by_role("button", name="Delete the organization").click()
    confirm(page, "Delete", about="delete Šimůnková & Co?")
    said(page, "Šimůnková & Co is deleted.")
    expect(page.locator("#organization-cards")).not_to_contain_text("Šimůnková & Co")


@in_a_browser
def test_members_are_found_by_search_and_page_by_page(page: Page, demo: Demo) -> None:
    demo.sql("""
        WITH crew AS (
            INSERT INTO accounts_user (deployment_id, email, username, first_name, last_name, password)
            SELECT deployment_id, 'crew' || n || '@demo.example', 'crew' || n, 'Crew', 'Number ' || n, ''
            FROM accounts_user CROSS JOIN generate_series(1, 19) n WHERE username = 'elodie' RETURNING id, deployment_id
        )
        INSERT INTO memberships_organizationmembership (organization_id, user_id, deployment_id)
        SELECT organization.id, crew.id, crew.deployment_id FROM crew
        JOIN organizations_organization organization USING (deployment_id) WHERE organization.name = 'Loopback Labs'
    """)
    sign_in(page, demo, "elodie")
    open_organization(page, "Loopback Labs")
    members = panel(page, "Members")
    expect(members.locator("#members > li")).to_have_count(10)
    expect(members.get_by_role("button", name="Previous page")).to_be_hidden()
    members.get_by_role("button", name="Next page").click()
    expect(members).to_contain_text("11 to 20 of 22")
    members.get_by_role("button", name="Next page").click()
    expect(members).to_contain_text("21 to 22 of 22")
    expect(page.locator("#place-members-title")).to_be_focused()
    expect(members.get_by_role("button", name="Next page")).to_be_hidden()
    members.get_by_role("searchbox").fill("fum")
    page.keyboard.press("Enter")
    expect(members).to_contain_text("1 to 1 of 1")
    expect(member(page, "史子 田中")).to_contain_text("fumiko@demo.example")
    members.get_by_role("searchbox").fill("nobody")
    page.keyboard.press("Enter")
    expect(members).to_contain_text("Nobody is found.")


@in_a_browser
def test_members_are_offered_nothing_that_they_may_not_do(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "ada")
    open_organization(page, "Nordlys Logistikk")
    expect(member(page, "Chioma Okafor")).to_be_visible()
    expect(page.locator("#place").get_by_role("button").filter(visible=True)).to_have_text(
        ["Search", "Leave the organization"]
    )
    page.get_by_role("link", name="Tog · Trains").click()
    page.get_by_role("button", name="Leave the workspace").click()
    confirm(page, "Leave", about="leave Tog · Trains?")
    said(page, "You have left Tog · Trains.")
    expect(page.locator("#workspaces")).not_to_contain_text("Tog · Trains")

    open_organization(page, "Café Übergröße")
    expect(page.locator("#place-verdict")).to_contain_text("Connect from a network")
    expect(page.locator("#place").get_by_role("button").filter(visible=True)).to_have_count(0)
    page.goto(f"{demo.base_url}/#place/organizations/999999")
    page.reload()
    said(page, "You are no member there")
    expect(page.locator("#memberships-title")).to_be_visible()


@in_a_browser
def test_an_organization_fits_a_phone_and_a_keyboard(page: Page, demo: Demo) -> None:
    demo.sql("UPDATE organizations_organization SET description = repeat('o', 200) WHERE name = 'Nordlys Logistikk'")
    use_a_phone(page)
    sign_in(page, demo, "elodie")
    page.get_by_role("link", name="Organizations", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#organizations-title")).to_be_focused()
    fits(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Nordlys Logistikk")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#place-title")).to_be_focused()
    member(page, "Gus Ødegård").locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    said(page, "Gus Ødegård has the role Admin now.")
    expect(member(page, "Gus Ødegård").get_by_role("checkbox", name="Admin")).to_be_focused()
    page.keyboard.press("Space")
    said(page, "Gus Ødegård has lost the role Admin.")
    fits(page)
    page.go_back()
    expect(page.locator("#organizations-title")).to_be_focused()


@in_a_browser
def test_signing_out_leaves_nothing_of_an_organization_in_the_page(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "elodie")
    open_organization(page, "Nordlys Logistikk")
    page.get_by_role("button", name="Sign out", exact=True).click()
    said(page, "You are signed out.")
    assert (
        re.search("Nordlys|Freight|Chioma", page.locator("body").inner_html().replace('data-user="chioma"', "")) is None
    )
