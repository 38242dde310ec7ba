/* What terminals say, as JSON. The members that stand here are those of
 * docs/protocol-jt808.md. */
#include "codec/jt808_inside.h"

#include "jt808rig.h"

static struct buf out;

static int begin(void **state)
{
    (void)state;
    return jt808_init();
}

static int finish(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static void assert_shown(uint16_t message, bool is_2019, struct slice body,
                         const char *wanted)
{
    struct json j;

    buf_clear(&out);
    j = json_to(&out);
    jt808_show(&j, message, is_2019, body);
    assert_false(j.failed);
    assert_int_equal(buf_try_append(&out, slice_of("", 1)), OK);
    assert_string_equal((const char *)buf_peek(&out).data, wanted);
}

static void assert_frame(const char *frame, const char *wanted)
{
    struct published p = published(frame);

    assert_shown(p.message, p.is_2019, p.body, wanted);
}

#define ASSERT_BYTES(message, is_2019, bytes, wanted)                                  \
    assert_shown(message, is_2019, slice_of(bytes, sizeof(bytes) - 1), wanted)

static void general_answers_name_what_they_answer(void **state)
{
    (void)state;
    assert_frame("7e000100050123456789017fff007b01c803bd7e",
                 "{\"serial\":123,\"message\":\"01c8\",\"name\":null,"
                 "\"result\":\"unsupported\",\"code\":3}");
    ASSERT_BYTES(1, false, "\0\7\x81\5\0",
                 "{\"serial\":7,\"message\":\"8105\",\"name\":\"control\","
                 "\"result\":\"ok\",\"code\":0}");
    ASSERT_BYTES(1, false, "\0\7\x81\5\x09!",
                 "{\"serial\":7,\"message\":\"8105\",\"name\":\"control\","
                 "\"result\":null,\"code\":9,\"rest\":\"21\"}");
    ASSERT_BYTES(1, false, "\0\7", "{\"rest\":\"0007\"}");
}

static void registrations_are_of_three_kinds(void **state)
{
    (void)state;
    assert_frame("7e0100002d000123456789000a002800323132333400736d616c6c63686931323300"
                 "00000000000000004348493132330001d4c14131323334358a7e",
                 "{\"province\":40,\"city\":50,\"maker\":\"1234\","
                 "\"model\":\"smallchi123\",\"terminal\":\"CHI123\","
                 "\"plate_colour\":1,\"plate\":\"粤A12345\"}");
    assert_frame(
        "7e010040540100000000000123456789000a002800323132333400000000000000736d"
        "616c6c6368693132330000000000000000000000000000000000000043484931323300"
        "000000000000000000000000000000000000000000000001d4c1413132333435b27e",
        "{\"province\":40,\"city\":50,\"maker\":\"1234\","
        "\"model\":\"smallchi123\",\"terminal\":\"CHI123\","
        "\"plate_colour\":1,\"plate\":\"粤A12345\"}");
    assert_frame("7e01000021013345678906000f002c012f373031313142534a2d4d37422030303030"
                 "30303001d4c1423838383838b47e",
                 "{\"province\":44,\"city\":303,\"maker\":\"70111\","
                 "\"model\":\"BSJ-M7B\",\"terminal\":\"0000000\","
                 "\"plate_colour\":1,\"plate\":\"粤B88888\"}");
}

static void a_registration_in_three_packages_is_one(void **state)
{
    static uint8_t joined[256];
    size_t size = 0;
    static const char *const packages[] = {
        "000b00026964393837363534333231747970653030313233343536373831323334353637",
        "383837363534333231494430303030313233343536373831323334353637383837363534",
        "33323101b8ca4a2d313233343539",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(packages); i++)
        for (const char *p = packages[i]; *p; p += 2)
            joined[size++] = published_byte(p);
    assert_int_equal(size, 86);
    assert_shown(0x0100, true, slice_of(joined, size),
                 "{\"province\":11,\"city\":2,\"maker\":\"id987654321\","
                 "\"model\":\"type00123456781234567887654321\",\"terminal\":"
                 "\"ID0000123456781234567887654321\",\"plate_colour\":1,"
                 "\"plate\":\"甘J-123459\"}");
}

static void a_vehicle_without_a_plate_has_a_number(void **state)
{
    static const uint8_t body[37 + 3] = {[37] = 'V', 'I', 'N'};

    (void)state;
    assert_shown(0x0100, false, slice_of(body, sizeof(body)),
                 "{\"province\":0,\"city\":0,\"maker\":\"\",\"model\":\"\","
                 "\"terminal\":\"\",\"plate_colour\":0,\"vin\":\"VIN\"}");
}

static void what_is_not_there_is_left_out(void **state)
{
    (void)state;
    ASSERT_BYTES(0x0100, false, "", "{}");
    ASSERT_BYTES(0x0100, false, "\0", "{\"rest\":\"00\"}");
    ASSERT_BYTES(0x0100, false, "\0\1\0\2abc",
                 "{\"province\":1,\"city\":2,\"rest\":\"616263\"}");
    ASSERT_BYTES(0x0104, false, "\0\1", "{\"rest\":\"0001\"}");
    ASSERT_BYTES(0x0107, false, "\0\1", "{\"rest\":\"0001\"}");
    ASSERT_BYTES(0x0200, false, "\0\1", "{\"rest\":\"0001\"}");
    ASSERT_BYTES(0x0201, false, "\0\1\2",
                 "{\"serial\":1,\"location\":{\"rest\":\"02\"}}");
    ASSERT_BYTES(0x0704, false, "\0\1", "{\"rest\":\"0001\"}");
    ASSERT_BYTES(0x0005, false, "\0\1", "{\"rest\":\"0001\"}");
}

static void a_token_is_never_shown(void **state)
{
    (void)state;
    ASSERT_BYTES(0x0102, false, "secret", "{}");
    ASSERT_BYTES(0x0102, true, "\6secret", "{}");
    ASSERT_BYTES(0x0102, true, "\7secret", "{}");
    assert_frame(
        "7e0102402f010000000001729984173800000b31373239393834313733383132333435"
        "36373839303132333435332e372e31350000000000000000000000000000227e",
        "{\"imei\":\"123456789012345\",\"software\":\"3.7.15\"}");
}

static void heartbeats_say_little(void **state)
{
    (void)state;
    ASSERT_BYTES(0x0002, false, "", "{}");
    ASSERT_BYTES(0x0002, false, "\x64\x1f\1", "{\"rest\":\"641f01\"}");
    ASSERT_BYTES(0x5501, false, "abc", "null");
}

static void parameters_have_names_where_they_are_known(void **state)
{
    (void)state;
    assert_frame("7e0104000c000123456789000a00140100000001040000000a907e",
                 "{\"serial\":20,\"count\":1,\"parameters\":[{\"id\":\"0001\","
                 "\"name\":\"heartbeat_s\",\"value\":10}]}");
    ASSERT_BYTES(0x0104, false,
                 "\0\1\4"
                 "\0\0\0\x83\x08\xd4\xc1"
                 "A1234\0"
                 "\0\0\0\x84\1\2"
                 "\0\0\xf0\1\2\xab\xcd"
                 "\1\0\xf0\1\0"
                 "\0\0\0\1\5xxxxx"
                 "\0\0\0\1\4x",
                 "{\"serial\":1,\"count\":4,\"parameters\":["
                 "{\"id\":\"0083\",\"name\":\"plate\",\"value\":\"粤A1234\"},"
                 "{\"id\":\"0084\",\"name\":\"plate_colour\",\"value\":2},"
                 "{\"id\":\"f001\",\"hex\":\"abcd\"},"
                 "{\"id\":\"0100f001\",\"hex\":\"\"},"
                 "{\"id\":\"0001\",\"name\":\"heartbeat_s\",\"hex\":\"7878787878\"}],"
                 "\"rest\":\"000000010478\"}");
}

static void attributes_are_read_as_published(void **state)
{
    (void)state;
    assert_frame(
        "7e0107004904546000563500030000584300000043354c000000000000000000000000"
        "00000000003938383731323589883030000131882455001943354c5f56322e36203230"
        "32362f30362f30342031353a33310301f47e",
        "{\"type\":[],\"maker\":\"XC\",\"model\":\"C5L\",\"terminal\":\"9887125\","
        "\"iccid\":\"89883030000131882455\",\"hardware\":\"\","
        "\"firmware\":\"C5L_V2.6 2026/06/04 15:31\","
        "\"gnss\":[\"gps\",\"beidou\"],\"radio\":[\"gprs\"]}");
}

static void a_maker_of_eleven_bytes_is_found_out(void **state)
{
    uint8_t body[2 + 11 + 30 + 30 + 10 + 1 + 1 + 2] = {0, 1};
    size_t at = 2;

    (void)state;
    memcpy(body + at, "Elevenbytes", 11);
    memcpy(body + at + 11, "M", 1);
    memcpy(body + at + 41, "T", 1);
    body[sizeof(body) - 2] = 3;
    body[sizeof(body) - 1] = 0x21;
    assert_shown(0x0107, true, slice_of(body, sizeof(body)),
                 "{\"type\":[\"passengers\"],\"maker\":\"Elevenbytes\","
                 "\"model\":\"M\",\"terminal\":\"T\","
                 "\"iccid\":\"00000000000000000000\",\"hardware\":\"\","
                 "\"firmware\":\"\",\"gnss\":[\"gps\",\"beidou\"],"
                 "\"radio\":[\"gprs\",\"td_lte\"]}");
}

#define PLACE                                                                          \
    "{\"time\":\"2017-01-17T02:04:42.000Z\",\"latitude\":6.152695,"                    \
    "\"longitude\":106.720495,\"altitude_m\":0,\"speed_kmh\":0.0,\"direction\":0,"     \
    "\"alarms\":[],\"status\":[\"acc_on\",\"gps\"],\"extras\":["                       \
    "{\"id\":\"01\",\"name\":\"mileage_km\",\"value\":4326.4},"                        \
    "{\"id\":\"2a\",\"name\":\"io\",\"value\":0},"                                     \
    "{\"id\":\"30\",\"name\":\"network_strength\",\"value\":27},"                      \
    "{\"id\":\"31\",\"name\":\"satellites\",\"value\":3}]}"

static void a_location_is_read_as_published(void **state)
{
    (void)state;
    assert_frame("7e0200002c00160128561400020000000000040001005de1f7065c6cef0000000000"
                 "0017011710044201040000a9002a02000030011b3101030c7e",
                 PLACE);
}

/* 28 bytes: alarms and status as given, then a place, then the time. */
static const uint8_t *location(uint32_t alarms, uint32_t status, const char *time)
{
    static uint8_t body[28];

    put_u32(body, alarms);
    put_u32(body + 4, status);
    put_u32(body + 8, 33868820);
    put_u32(body + 12, 151);
    put_u16(body + 16, 0xfffe);
    put_u16(body + 18, 1234);
    put_u16(body + 20, 359);
    memcpy(body + 22, time, 6);
    return body;
}

static void a_location_has_its_hemisphere_and_its_alarms(void **state)
{
    (void)state;
    assert_shown(0x0200, false,
                 slice_of(location(0x80008003, 0x8000000e, "\x24\x02\x29\x07\x59\x59"),
                          28),
                 "{\"time\":\"2024-02-28T23:59:59.000Z\",\"latitude\":-33.868820,"
                 "\"longitude\":-0.000151,\"altitude_m\":-2,\"speed_kmh\":123.4,"
                 "\"direction\":359,\"alarms\":[\"emergency\",\"overspeed\",\"bit15\","
                 "\"illegal_door\"],\"status\":[\"fixed\",\"south\",\"west\","
                 "\"bit31\"],\"extras\":[]}");
}

static void times_that_never_were_are_null(void **state)
{
    static const char *const never[] = {
        "\x00\x00\x00\x00\x00\x00", "\x23\x02\x29\x00\x00\x00",
        "\x24\x04\x31\x00\x00\x00", "\x24\x13\x01\x00\x00\x00",
        "\x24\x01\x01\x24\x00\x00", "\x24\x01\x01\x00\x60\x00",
        "\x24\x01\x01\x00\x00\x60", "\x2a\x01\x01\x00\x00\x00",
        "\x24\x01\x1a\x00\x00\x00", "\x24\x01\x00\x00\x00\x00",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        assert_shown(0x0200, false, slice_of(location(0, 0, never[i]), 28),
                     "{\"time\":null,\"latitude\":33.868820,\"longitude\":0.000151,"
                     "\"altitude_m\":-2,\"speed_kmh\":123.4,\"direction\":359,"
                     "\"alarms\":[],\"status\":[],\"extras\":[]}");
    }
}

/* Days are counted here by the C library, there by hand. */
static void every_day_of_the_century_is_the_right_one(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 36525; day += 1) {
        int64_t seconds = 946684800 + day * 86400;
        struct buf time = {0};
        char wanted[64];
        struct json j;

        assert_int_equal(jt808_write_time(&time, seconds * 1000), OK);
        buf_clear(&out);
        j = json_to(&out);
        jt808_show(&j, 0x0200, false,
                   slice_of(location(0, 0, (const char *)buf_peek(&time).data), 28));
        buf_fini(&time);
        buf_clear(&time);
        j = json_to(&time);
        json_time(&j, (seconds - 8 * 3600) * 1000);
        snprintf(wanted, sizeof(wanted), "{\"time\":%.*s,", (int)buf_used(&time),
                 (const char *)buf_peek(&time).data);
        assert_memory_equal(buf_peek(&out).data, wanted, strlen(wanted));
        buf_fini(&time);
    }
}

static void a_flawed_tail_hides_nothing_before_it(void **state)
{
    uint8_t body[28 + 8];

    (void)state;
    memcpy(body, location(0, 0, "\0\0\0\0\0\0"), 28);
    memcpy(body + 28, "\xe1\1\xff\x25\4xyz", 8);
    assert_shown(0x0200, false, slice_of(body, sizeof(body)),
                 "{\"time\":null,\"latitude\":33.868820,\"longitude\":0.000151,"
                 "\"altitude_m\":-2,\"speed_kmh\":123.4,\"direction\":359,"
                 "\"alarms\":[],\"status\":[],\"extras\":[{\"id\":\"e1\","
                 "\"hex\":\"ff\"}],\"rest\":\"250478797a\"}");
}

static void a_batch_is_a_list_as_far_as_it_goes(void **state)
{
    (void)state;
    ASSERT_BYTES(0x0704, false, "\0\3\1\0\0\0\2ab\0\3c",
                 "{\"stored\":true,\"count\":3,\"locations\":[{},{\"rest\":\"6162\"}],"
                 "\"rest\":\"000363\"}");
    ASSERT_BYTES(0x0704, false, "\0\0\0",
                 "{\"stored\":false,\"count\":0,\"locations\":[]}");
}

static void missing_packages_are_listed(void **state)
{
    (void)state;
    ASSERT_BYTES(0x0005, false, "\0\x6f\2\0\2\0\3",
                 "{\"first\":111,\"packages\":[2,3]}");
    ASSERT_BYTES(0x0005, true, "\0\x6f\0\2\0\2\0",
                 "{\"first\":111,\"packages\":[2],\"rest\":\"00\"}");
}

static void text_that_is_not_gbk_is_marked(void **state)
{
    static uint8_t body[37 + 8] = {[36] = 1};

    (void)state;
    memcpy(body + 37, "\xd4\xc1 \xff\xff\x81\x30\xa1", 8);
    assert_shown(0x0100, false, slice_of(body, 37 + 8),
                 "{\"province\":0,\"city\":0,\"maker\":\"\",\"model\":\"\","
                 "\"terminal\":\"\",\"plate_colour\":1,"
                 "\"plate\":\"粤 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                 "0\xef\xbf\xbd\"}");
}

static void text_that_is_too_long_is_cut(void **state)
{
    static uint8_t body[37 + 300] = {[36] = 1};
    char wanted[512];
    struct json j;
    int n;

    (void)state;
    memset(body + 37, 'x', 300);
    n = snprintf(wanted, sizeof(wanted), "\"plate\":\"%.*s\"}", JT808_TEXT_MAX,
                 (const char *)body + 37);
    buf_clear(&out);
    j = json_to(&out);
    jt808_show(&j, 0x0100, false, slice_of(body, sizeof(body)));
    assert_memory_equal(out.mem + out.tail - n, wanted, (size_t)n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(general_answers_name_what_they_answer),
        cmocka_unit_test(registrations_are_of_three_kinds),
        cmocka_unit_test(a_registration_in_three_packages_is_one),
        cmocka_unit_test(a_vehicle_without_a_plate_has_a_number),
        cmocka_unit_test(what_is_not_there_is_left_out),
        cmocka_unit_test(a_token_is_never_shown),
        cmocka_unit_test(heartbeats_say_little),
        cmocka_unit_test(parameters_have_names_where_they_are_known),
        cmocka_unit_test(attributes_are_read_as_published),
        cmocka_unit_test(a_maker_of_eleven_bytes_is_found_out),
        cmocka_unit_test(a_location_is_read_as_published),
        cmocka_unit_test(a_location_has_its_hemisphere_and_its_alarms),
        cmocka_unit_test(times_that_never_were_are_null),
        cmocka_unit_test(every_day_of_the_century_is_the_right_one),
        cmocka_unit_test(a_flawed_tail_hides_nothing_before_it),
        cmocka_unit_test(a_batch_is_a_list_as_far_as_it_goes),
        cmocka_unit_test(missing_packages_are_listed),
        cmocka_unit_test(text_that_is_not_gbk_is_marked),
        cmocka_unit_test(text_that_is_too_long_is_cut),
    };

    return cmocka_run_group_tests(tests, begin, finish);
}
