//! Numbers that states give to persons (and to firms, where a person may be one), one country or region a file.
//!
//! Each function takes the finding with whatever separators it is written with. Where a number carries a date, the date
//! must be one of the calendar. Sources are the issuing authorities; every file names what it does not know.

mod argentina;
mod australia;
mod austria;
mod balkans;
mod baltics;
mod belgium;
mod brazil;
mod bulgaria;
mod canada;
mod chile;
mod china;
mod colombia;
mod croatia;
mod czechia;
mod denmark;
mod dominican_republic;
mod ecuador;
mod egypt;
mod el_salvador;
mod european_union;
mod finland;
mod france;
mod germany;
mod greece;
mod hong_kong;
mod hungary;
mod iceland;
mod india;
mod indonesia;
mod iran;
mod ireland;
mod israel;
mod italy;
mod japan;
mod kazakhstan;
mod korea;
mod kuwait;
mod luxembourg;
mod malaysia;
mod mexico;
mod netherlands;
mod new_zealand;
mod norway;
mod numerals;
mod peru;
mod poland;
mod portugal;
mod romania;
mod russia;
mod saudi_arabia;
mod singapore;
mod south_africa;
mod spain;
mod sri_lanka;
mod sweden;
mod switzerland;
mod taiwan;
mod thailand;
mod turkey;
mod ukraine;
mod united_kingdom;
mod united_states;
mod uruguay;
mod venezuela;
mod vietnam;

/// Declares the numbers: variant, name in rule files, check, what it numbers.
macro_rules! numbers {
    ($($variant:ident $name:literal $check:path, $what:literal;)*) => {
        /// A national number with something to check.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum National {
            $(#[doc = $what] $variant,)*
        }

        impl National {
            /// All of them, by name.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name used in rule files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// True when the text passes.
            pub fn accepts(self, text: &str) -> bool {
                match self {
                    $(Self::$variant => $check(text),)*
                }
            }
        }
    };
}

numbers! {
    AadhaarIn "aadhaar_in" india::is_aadhaar, "India: Aadhaar.";
    AbaUs "aba_us" united_states::is_aba, "United States: bank routing number (ABA).";
    AbnAu "abn_au" australia::is_abn, "Australia: business number.";
    AcnAu "acn_au" australia::is_acn, "Australia: company number.";
    AdoHu "ado_hu" hungary::is_ado, "Hungary: tax identification number.";
    AfmGr "afm_gr" greece::is_afm, "Greece: tax registration number.";
    AhvCh "ahv_ch" switzerland::is_ahv, "Switzerland: social insurance number.";
    AmkaGr "amka_gr" greece::is_amka, "Greece: social security number.";
    AusweisDe "ausweis_de" germany::is_ausweis, "Germany: identity card or passport with its check digit.";
    BnCa "bn_ca" canada::is_bn, "Canada: business number with its programme account.";
    BrnKr "brn_kr" korea::is_brn, "Korea: business registration number.";
    BsnNl "bsn_nl" netherlands::is_bsn, "Netherlands: citizen service number.";
    CbuAr "cbu_ar" argentina::is_cbu, "Argentina: uniform bank key.";
    CccdVn "cccd_vn" vietnam::is_cccd, "Vietnam: citizen identity card.";
    CcPt "cc_pt" portugal::is_cc, "Portugal: citizen card document number.";
    CccEs "ccc_es" spain::is_ccc, "Spain: bank account code.";
    CedulaDo "cedula_do" dominican_republic::is_cedula, "Dominican Republic: identity card.";
    ChiUk "chi_uk" united_kingdom::is_chi, "Scotland: community health index.";
    CiEc "ci_ec" ecuador::is_ci, "Ecuador: identity card.";
    CiUy "ci_uy" uruguay::is_ci, "Uruguay: identity card.";
    CifEs "cif_es" spain::is_cif, "Spain: company tax number.";
    ClabeMx "clabe_mx" mexico::is_clabe, "Mexico: bank account code.";
    CnhBr "cnh_br" brazil::is_cnh, "Brazil: driving licence.";
    CnpRo "cnp_ro" romania::is_cnp, "Romania: personal code.";
    CnpjBr "cnpj_br" brazil::is_cnpj, "Brazil: company tax number.";
    CnsBr "cns_br" brazil::is_cns, "Brazil: health card.";
    CodiceFiscaleIt "codice_fiscale_it" italy::is_codice_fiscale, "Italy: tax code of a person.";
    CpfBr "cpf_br" brazil::is_cpf, "Brazil: tax number of a person.";
    CprDk "cpr_dk" denmark::is_cpr, "Denmark: personal number.";
    CuitAr "cuit_ar" argentina::is_cuit, "Argentina: tax or labour number.";
    CurpMx "curp_mx" mexico::is_curp, "Mexico: population registry code.";
    DeaUs "dea_us" united_states::is_dea, "United States: DEA registration of a prescriber.";
    DniEs "dni_es" spain::is_dni, "Spain: identity number.";
    DowodPl "dowod_pl" poland::is_dowod, "Poland: identity card.";
    DuiSv "dui_sv" el_salvador::is_dui, "El Salvador: identity document.";
    EgnBg "egn_bg" bulgaria::is_egn, "Bulgaria: civil number.";
    EidBe "eid_be" belgium::is_eid, "Belgium: identity card.";
    EinUs "ein_us" united_states::is_ein, "United States: employer identification number.";
    FnrNo "fnr_no" norway::is_fnr, "Norway: national identity number.";
    GstinIn "gstin_in" india::is_gstin, "India: goods and services tax number.";
    HetuFi "hetu_fi" finland::is_hetu, "Finland: personal identity code.";
    HkidHk "hkid_hk" hong_kong::is_hkid, "Hong Kong: identity card.";
    IdEg "id_eg" egypt::is_id, "Egypt: national number.";
    IdIl "id_il" israel::is_id, "Israel: identity number.";
    IdIr "id_ir" iran::is_id, "Iran: national code.";
    IdKw "id_kw" kuwait::is_id, "Kuwait: civil number.";
    IdSa "id_sa" saudi_arabia::is_id, "Saudi Arabia: national or resident identity.";
    IdTh "id_th" thailand::is_id, "Thailand: identity number.";
    IdTw "id_tw" taiwan::is_id, "Taiwan: identity card or resident certificate.";
    IdZa "id_za" south_africa::is_id, "South Africa: identity number.";
    IinKz "iin_kz" kazakhstan::is_iin, "Kazakhstan: individual number.";
    IkBaltic "ik_baltic" baltics::is_code, "Estonia and Lithuania: personal code.";
    InnRu "inn_ru" russia::is_inn, "Russia: taxpayer number.";
    IrdNz "ird_nz" new_zealand::is_ird, "New Zealand: tax number.";
    ItinUs "itin_us" united_states::is_itin, "United States: individual taxpayer number.";
    IvaIt "iva_it" italy::is_iva, "Italy: VAT number.";
    Jmbg "jmbg" balkans::is_jmbg, "Successor states of Yugoslavia: citizen number.";
    KennitalaIs "kennitala_is" iceland::is_kennitala, "Iceland: identity number.";
    KvnrDe "kvnr_de" germany::is_kvnr, "Germany: health insurance number.";
    MatriculeLu "matricule_lu" luxembourg::is_matricule, "Luxembourg: identification number.";
    MedicareAu "medicare_au" australia::is_medicare, "Australia: Medicare card.";
    MyNumberJp "my_number_jp" japan::is_my_number, "Japan: individual number.";
    MykadMy "mykad_my" malaysia::is_mykad, "Malaysia: identity card.";
    NhiNz "nhi_nz" new_zealand::is_nhi, "New Zealand: health index.";
    NhsUk "nhs_uk" united_kingdom::is_nhs, "United Kingdom: NHS number.";
    NicLk "nic_lk" sri_lanka::is_nic, "Sri Lanka: identity card.";
    NieEs "nie_es" spain::is_nie, "Spain: identity number of a foreigner.";
    NifPt "nif_pt" portugal::is_nif, "Portugal: tax number.";
    NikId "nik_id" indonesia::is_nik, "Indonesia: population number.";
    NinoUk "nino_uk" united_kingdom::is_nino, "United Kingdom: National Insurance number.";
    NipPl "nip_pl" poland::is_nip, "Poland: tax number.";
    NirFr "nir_fr" france::is_nir, "France: social security number.";
    NissPt "niss_pt" portugal::is_niss, "Portugal: social security number.";
    NitCo "nit_co" colombia::is_nit, "Colombia: tax number.";
    NnBe "nn_be" belgium::is_nn, "Belgium: national register number.";
    NpiUs "npi_us" united_states::is_npi, "United States: health care provider.";
    NpwpId "npwp_id" indonesia::is_npwp, "Indonesia: tax number.";
    NricSg "nric_sg" singapore::is_nric, "Singapore: identity card.";
    NssEs "nss_es" spain::is_nss, "Spain: social security number.";
    NssMx "nss_mx" mexico::is_nss, "Mexico: social security number.";
    OhipCa "ohip_ca" canada::is_ohip, "Ontario: health card.";
    OibHr "oib_hr" croatia::is_oib, "Croatia: personal number.";
    PersonnummerSe "personnummer_se" sweden::is_personnummer, "Sweden: personal number.";
    PeselPl "pesel_pl" poland::is_pesel, "Poland: personal number.";
    PhnBcCa "phn_bc_ca" canada::is_phn, "British Columbia: personal health number.";
    PisBr "pis_br" brazil::is_pis, "Brazil: social integration number.";
    PkLv "pk_lv" baltics::is_latvian, "Latvia: personal code.";
    PpsIe "pps_ie" ireland::is_pps, "Ireland: personal public service number.";
    RcCz "rc_cz" czechia::is_rc, "Czechia and Slovakia: birth number.";
    RegonPl "regon_pl" poland::is_regon, "Poland: business register number.";
    RfcMx "rfc_mx" mexico::is_rfc, "Mexico: tax number of a person.";
    RidCn "rid_cn" china::is_rid, "China: resident identity number.";
    RifVe "rif_ve" venezuela::is_rif, "Venezuela: tax number.";
    RnokppUa "rnokpp_ua" ukraine::is_rnokpp, "Ukraine: taxpayer number.";
    RrnKr "rrn_kr" korea::is_rrn, "Korea: resident registration number.";
    RucPe "ruc_pe" peru::is_ruc, "Peru: taxpayer number.";
    RutCl "rut_cl" chile::is_rut, "Chile: tax and identity number.";
    RvnrDe "rvnr_de" germany::is_rvnr, "Germany: pension insurance number.";
    SinCa "sin_ca" canada::is_sin, "Canada: social insurance number.";
    SirenFr "siren_fr" france::is_siren, "France: business number.";
    SiretFr "siret_fr" france::is_siret, "France: business establishment number.";
    SnilsRu "snils_ru" russia::is_snils, "Russia: insurance account number.";
    SpiFr "spi_fr" france::is_spi, "France: tax number of a person.";
    SteuerIdDe "steuer_id_de" germany::is_steuer_id, "Germany: tax number of a person.";
    SvnrAt "svnr_at" austria::is_svnr, "Austria: social insurance number.";
    SzemelyiHu "szemelyi_hu" hungary::is_szemelyi, "Hungary: personal identification number.";
    TajHu "taj_hu" hungary::is_taj, "Hungary: social security number.";
    TcknTr "tckn_tr" turkey::is_tckn, "Turkey: identity number.";
    TesseraIt "tessera_it" italy::is_tessera, "Italy: health card.";
    TfnAu "tfn_au" australia::is_tfn, "Australia: tax file number.";
    TituloBr "titulo_br" brazil::is_titulo, "Brazil: voter registration.";
    UidCh "uid_ch" switzerland::is_uid, "Switzerland: enterprise number.";
    UtrUk "utr_uk" united_kingdom::is_utr, "United Kingdom: unique taxpayer reference.";
    VatEu "vat_eu" european_union::is_vat, "European Union: VAT number with its country.";
    VatGb "vat_gb" united_kingdom::is_vat, "United Kingdom: VAT number.";
    VknTr "vkn_tr" turkey::is_vkn, "Turkey: tax number.";
}

#[cfg(test)]
mod tests {
    use super::National;

    #[test]
    fn nothing_passes_an_empty_or_a_strange_text() {
        let long = "1".repeat(10_000);
        for number in National::ALL {
            for text in ["", " ", "-", "…", "abc", "0", "000000000", "00000000000", "0000000000000", &long] {
                assert!(!number.accepts(text), "{} {text}", number.name());
            }
        }
    }

    #[test]
    fn names_are_sorted_by_variant_and_unique() {
        let mut names: Vec<_> = National::ALL.iter().map(|number| number.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), National::ALL.len());
    }
}
