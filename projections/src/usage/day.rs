//! Days, UTC.

/// The day of an instant, as `2026-11-22`. The text sorts as the days do.
pub(super) fn day(micros: i64) -> String {
    let days = micros.div_euclid(86_400_000_000);
    // Howard Hinnant's civil_from_days: eras of 400 years, counted from the first of March of the year 0.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_of_the_calendar() {
        let of = |seconds: i64| day(seconds * 1_000_000);
        assert_eq!(of(0), "1970-01-01");
        assert_eq!(of(-1), "1969-12-31");
        assert_eq!(of(951_782_400), "2000-02-29");
        assert_eq!(of(951_868_799), "2000-02-29");
        assert_eq!(of(951_868_800), "2000-03-01");
        assert_eq!(of(1_795_305_600), "2026-11-22");
        assert_eq!(of(4_107_542_400), "2100-03-01");
    }
}
