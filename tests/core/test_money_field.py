"""Money in the database: whole fen, exact in sums, filters and arithmetic on both databases, never rounded."""

from decimal import Decimal

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F, Max, Sum, Value
from django.db.models.functions import Coalesce

from assistance.models import FundRule
from core.fields import MoneyField, yuan

ONE_FEN = Decimal("0.01")
pytestmark = pytest.mark.django_db


def rule(per_time, per_year=None, aid_kind="LIVING"):
    return FundRule.objects.create(fund_kind="CITY", aid_kind=aid_kind, per_time=per_time, per_year=per_year)


@pytest.mark.parametrize("amount", ["0", "0.01", "-0.01", "1234.5", "-9999999999999.99", "9999999999999.99"])
def test_an_amount_comes_back_exact_and_with_two_places(amount):
    row = rule(Decimal(amount))
    row.refresh_from_db()
    assert row.per_time == Decimal(amount)
    assert row.per_time.as_tuple().exponent == -2
    with connection.cursor() as cursor:
        cursor.execute("SELECT per_time FROM assistance_fundrule")
        assert cursor.fetchone() == (int(Decimal(amount) * 100),)


def test_nothing_stays_nothing():
    row = rule(None)
    row.refresh_from_db()
    assert row.per_time is None
    assert FundRule.objects.filter(per_time=None).count() == 1


@pytest.mark.parametrize("amount", ["0.001", "1.005", "99999999999999", "NaN", "Infinity", "一百", "1,000"])
def test_what_is_finer_than_a_fen_or_no_amount_is_refused_and_never_rounded(amount):
    with pytest.raises(ValidationError), transaction.atomic():
        rule(amount)
    with pytest.raises(ValidationError):
        FundRule.objects.filter(per_time=amount).count()
    assert not FundRule.objects.exists()


@pytest.mark.parametrize("amount", [0.1, 1.0])
def test_a_float_is_never_money(amount):
    with pytest.raises(TypeError, match="never a float"):
        rule(amount)


def test_sums_are_exact_where_floats_are_not():
    for number, kind in enumerate(["LIVING", "MEDICAL", "COOL"]):
        rule(Decimal("0.10"), Decimal("9000000000000.01") if number else None, kind)
    total = FundRule.objects.aggregate(a=Sum("per_time"), b=Sum("per_year"), top=Max("per_year"))
    assert total == {
        "a": Decimal("0.30"), "b": Decimal("18000000000000.02"), "top": Decimal("9000000000000.01")
    }  # fmt: skip
    assert isinstance(total["a"], Decimal)


def test_a_sum_of_nothing_can_be_zero_yuan():
    nothing = FundRule.objects.none()
    assert FundRule.objects.aggregate(a=Sum("per_time"))["a"] is None
    assert FundRule.objects.aggregate(a=Sum("per_time", default=Decimal(0)))["a"] == 0
    assert FundRule.objects.aggregate(a=Coalesce(Sum("per_time"), yuan("3.50")))["a"] == Decimal("3.50")
    assert nothing.aggregate(a=Sum("per_time", default=Decimal(0)))["a"] == 0


def test_filters_compare_yuan_with_yuan():
    rule(Decimal("100.00"), Decimal("100.01"))
    rows = FundRule.objects
    assert rows.filter(per_time=100).exists()
    assert rows.filter(per_time="100").exists()
    assert rows.filter(per_time__gt=Decimal("99.99")).exists()
    assert not rows.filter(per_time__gt=Decimal("100")).exists()
    assert rows.filter(per_time__range=(Decimal("99.99"), Decimal("100"))).exists()
    assert rows.filter(per_time__in=[Decimal("100"), Decimal("5")]).exists()
    assert rows.filter(per_time__lt=F("per_year")).exists()
    grouped = rows.values("fund_kind").annotate(total=Sum("per_time"))
    assert grouped.filter(total__gte=Decimal("100.00")).exists()
    assert not grouped.filter(total__gt=Decimal("100.00")).exists()


def test_columns_are_added_and_taken_away_in_the_database():
    row = rule(Decimal("100.00"), Decimal("0.01"))
    rows = FundRule.objects.annotate(sum=F("per_time") + F("per_year"), rest=F("per_year") - F("per_time"))
    assert rows.values_list("sum", "rest").get() == (Decimal("100.01"), Decimal("-99.99"))
    assert rows.filter(rest__lt=Decimal("-99.98")).exists()
    FundRule.objects.update(per_time=F("per_time") - yuan(ONE_FEN))
    FundRule.objects.update(per_year=F("per_time") + F("per_year"))
    row.refresh_from_db()
    assert (row.per_time, row.per_year) == (Decimal("99.99"), Decimal("100.00"))
    assert FundRule.objects.filter(per_year=F("per_time") + yuan("0.01")).exists()


@pytest.mark.parametrize("amount", [ONE_FEN, 1])
def test_a_bare_number_is_not_added_to_fen_in_the_database(amount):
    """It would be taken for fen, or worse: what is meant must be said (`yuan`)."""
    row = rule(Decimal("100.00"))
    for expression in (F("per_time") - amount, Value(amount)):
        with pytest.raises(TypeError, match="yuan"), transaction.atomic():
            FundRule.objects.update(per_time=expression)
    row.refresh_from_db()
    assert row.per_time == Decimal("100.00")


def test_the_form_field_says_what_is_wrong_and_takes_the_largest_amount():
    field = MoneyField(verbose_name="amount").formfield()
    assert isinstance(field, forms.DecimalField)
    assert field.clean("9999999999999.99") == Decimal("9999999999999.99")
    assert field.clean("-1.5") == Decimal("-1.50")
    for wrong in ("1.001", "99999999999999", "abc", "NaN"):
        with pytest.raises(ValidationError):
            field.clean(wrong)


def test_an_amount_is_written_as_text_without_loss():
    row = rule(Decimal("-12.30"))
    field = FundRule._meta.get_field("per_time")
    assert field.value_to_string(row) == "-12.30"
    assert field.to_python(field.value_to_string(row)) == row.per_time
