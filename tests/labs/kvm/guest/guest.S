/*
 * Copyright: (c) 2026, vmops.migration contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lab's guest: a boot sector and the sectors behind it, no operating system.
 *
 * It says on the first serial port that it came up, then beats there for ever, dirties memory at a set rate and counts on its disk.
 * Every line of it starts with a word (UP, READY, HB) and ends with CR LF; numbers are eight hexadecimal digits:
 *     UP <boot id>                       once per boot: two of them mean that the guest was restarted
 *     READY <boot id>                    the working set is filled
 *     HB <boot id> <tick> <disk writes>  every heartbeat_ticks ticks; a tick is 10 ms of the guest's own time
 * The boot id comes from the time stamp counter and the clock, so that it differs from boot to boot and travels with a migration.
 *
 * The builder writes the parameters into the image (image.py), behind the word VMOPSPAR at offset 512.
 *
 * Memory: 0x1000 interrupt table, 0x2000 sector buffer, 0x7c00 this program, below 0x90000 the stack, from 16 MiB on the working set.
 */

        .set    LOAD_ADDRESS,   0x7c00
        .set    SECTORS_BEHIND, 7               /* sectors that the boot sector reads after itself */
        .set    IDT_ADDRESS,    0x1000
        .set    IDT_ENTRIES,    48
        .set    SECTOR_BUFFER,  0x2000
        .set    STACK_TOP,      0x90000
        .set    WORKING_SET,    0x1000000
        .set    PAGE_BYTES,     4096
        .set    SERIAL,         0x3f8
        .set    DISK,           0x1f0
        .set    PIT_DIVISOR,    11932           /* 1193182 Hz / 11932 = 100 Hz */
        .set    WAIT_LIMIT,     1000000         /* turns of a waiting loop before a device is given up */

/* ---------------------------------------------------------------- boot sector, 16 bit */
        .code16
        .globl  start
start:
        cli
        ljmp    $0, $1f                         /* some firmware starts us at 07c0:0000 */
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $LOAD_ADDRESS, %sp
        sti
        movw    $(0x0200 | SECTORS_BEHIND), %ax /* read sectors 2.. of the drive that DL names */
        movw    $0x0002, %cx
        xorb    %dh, %dh
        movw    $parameters, %bx
        int     $0x13
        cli
        inb     $0x92, %al                      /* A20 on, without touching the reset bit */
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        lgdt    gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmp    $8, $protected

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff              /* 8: code, flat */
        .quad   0x00cf92000000ffff              /* 16: data, flat */
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt

        .org    510
        .word   0xaa55

/* ---------------------------------------------------------------- parameters, at offset 512 */
parameters:
        .ascii  "VMOPSPAR"
dirty_pages_per_tick:   .long 0
working_set_pages:      .long 1024
heartbeat_ticks:        .long 1
disk_write_ticks:       .long 10                /* 0: never writes */
disk_first_sector:      .long 64
disk_sector_count:      .long 64

/* ---------------------------------------------------------------- 32 bit from here */
        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $STACK_TOP, %esp
        cld
        call    serial_setup
        call    timer_setup
        call    choose_boot_id
        movl    $text_up, %esi
        call    put_text
        movl    boot_id, %eax
        call    put_hex
        call    put_line_end

        movl    $WORKING_SET, %edi              /* no page stays zero, or a migration would skip it */
        movl    working_set_pages, %ecx
        jecxz   2f
1:      movl    %edi, (%edi)
        movl    %edi, PAGE_BYTES/2(%edi)
        addl    $PAGE_BYTES, %edi
        loop    1b
2:      movl    %edi, working_set_end
        movl    $WORKING_SET, dirty_cursor
        movl    $text_ready, %esi
        call    put_text
        movl    boot_id, %eax
        call    put_hex
        call    put_line_end

/*
 * Interrupts are open between these two instructions only. So the handler never needs to come back to where it interrupted: it drops
 * the frame and falls into the work of the tick. That also spares IRET, which KVM on a machine without real hardware
 * virtualisation cannot emulate.
 */
idle:   sti
        hlt
        jmp     idle                            /* not reached: the handler drops our frame */

on_timer:
        addl    $12, %esp                       /* EIP, CS, EFLAGS; the gate has closed interrupts */
        movb    $0x20, %al
        outb    %al, $0x20                      /* end of interrupt */
        incl    tick

        call    dirty_memory
        movl    disk_write_ticks, %ecx
        call    tick_is_due
        jnz     1f
        call    write_disk
1:      movl    heartbeat_ticks, %ecx
        call    tick_is_due
        jnz     idle
        call    heartbeat
        jmp     idle

/* ZF set when tick is a multiple of ECX; ECX 0: never */
tick_is_due:
        testl   %ecx, %ecx
        jz      1f
        movl    tick, %eax
        xorl    %edx, %edx
        divl    %ecx
        testl   %edx, %edx
        ret
1:      incl    %ecx                            /* not zero */
        ret

dirty_memory:
        movl    dirty_pages_per_tick, %ecx
        jecxz   3f
        movl    dirty_cursor, %edi
        movl    tick, %eax
1:      cmpl    working_set_end, %edi
        jb      2f
        movl    $WORKING_SET, %edi
2:      movl    %eax, (%edi)
        addl    $PAGE_BYTES, %edi
        loop    1b
        movl    %edi, dirty_cursor
3:      ret

heartbeat:
        movl    $text_heartbeat, %esi
        call    put_text
        movl    boot_id, %eax
        call    put_hex
        call    put_space
        movl    tick, %eax
        call    put_hex
        call    put_space
        movl    disk_writes, %eax
        call    put_hex
        jmp     put_line_end

choose_boot_id:
        rdtsc
        roll    $7, %eax
        xorl    %edx, %eax
        movl    %eax, %ebx
        movb    $0, %cl                         /* clock registers 0 seconds, 2 minutes, 4 hours, 7 day */
1:      movb    %cl, %al
        outb    %al, $0x70
        inb     $0x71, %al
        roll    $8, %ebx
        xorb    %al, %bl
        addb    $2, %cl
        cmpb    $8, %cl
        jb      1b
        movl    %ebx, boot_id
        ret

/* ---------------------------------------------------------------- devices */
serial_setup:                                   /* 115200 baud, 8 data bits, no parity, one stop bit, FIFO on, no interrupts */
        movl    $serial_program, %esi
        movl    $(serial_program_end - serial_program) / 2, %ecx
        movl    $SERIAL, %ebx
1:      xorl    %edx, %edx
        lodsb
        movb    %al, %dl
        addl    %ebx, %edx
        lodsb
        outb    %al, %dx
        loop    1b
        ret
serial_program:                                 /* register, value */
        .byte   1, 0x00, 3, 0x80, 0, 0x01, 1, 0x00, 3, 0x03, 2, 0x07, 4, 0x03
serial_program_end:

timer_setup:
        movl    $IDT_ADDRESS, %edi              /* exceptions too land in on_timer; this program causes none */
        movl    $IDT_ENTRIES, %ecx
1:      movl    $on_timer, %eax
        movw    %ax, (%edi)
        movw    $8, 2(%edi)
        movw    $0x8e00, 4(%edi)                /* interrupt gate, present */
        shrl    $16, %eax
        movw    %ax, 6(%edi)
        addl    $8, %edi
        loop    1b
        lidt    idt_pointer
        movb    $0x11, %al                      /* both interrupt controllers: vectors 0x20.., only the timer open */
        outb    %al, $0x20
        outb    %al, $0xa0
        movb    $0x20, %al
        outb    %al, $0x21
        movb    $0x28, %al
        outb    %al, $0xa1
        movb    $4, %al
        outb    %al, $0x21
        movb    $2, %al
        outb    %al, $0xa1
        movb    $1, %al
        outb    %al, $0x21
        outb    %al, $0xa1
        movb    $0xfe, %al
        outb    %al, $0x21
        movb    $0xff, %al
        outb    %al, $0xa1
        movb    $0x34, %al                      /* timer 0, low byte then high byte, rate generator */
        outb    %al, $0x43
        movl    $PIT_DIVISOR, %eax
        outb    %al, $0x40
        movb    %ah, %al
        outb    %al, $0x40
        ret

/* One sector, every double word of it the number of this write, in turn over the sectors of the disk's range. */
write_disk:
        call    disk_idle
        jnz     9f
        movl    disk_writes, %eax
        xorl    %edx, %edx
        divl    disk_sector_count
        addl    disk_first_sector, %edx
        movl    %edx, %ebx
        movl    $(DISK + 2), %edx
        movb    $1, %al                         /* one sector */
        outb    %al, %dx
        incl    %edx
        movb    %bl, %al                        /* LBA, three bytes */
        outb    %al, %dx
        incl    %edx
        movb    %bh, %al
        outb    %al, %dx
        shrl    $16, %ebx
        incl    %edx
        movb    %bl, %al
        outb    %al, %dx
        incl    %edx
        movb    $0xe0, %al                      /* first drive, LBA */
        outb    %al, %dx
        incl    %edx
        movb    $0x30, %al                      /* write sectors */
        outb    %al, %dx
        movl    $WAIT_LIMIT, %ecx
1:      inb     %dx, %al
        testb   $0x80, %al                      /* busy */
        jnz     2f
        testb   $0x21, %al                      /* error or fault */
        jnz     9f
        testb   $0x08, %al                      /* wants the data */
        jnz     3f
2:      loop    1b
        jmp     9f
3:      incl    disk_writes
        movl    disk_writes, %eax
        movl    $SECTOR_BUFFER, %edi
        movl    $128, %ecx
        rep     stosl
        movl    $SECTOR_BUFFER, %esi
        movl    $256, %ecx
        movl    $DISK, %edx
        rep     outsw
9:      ret

disk_idle:                                      /* ZF set when the disk takes a command */
        movl    $(DISK + 7), %edx
        movl    $WAIT_LIMIT, %ecx
1:      inb     %dx, %al
        cmpb    $0xff, %al                      /* no disk there */
        je      2f
        testb   $0x80, %al
        jz      3f
        loop    1b
2:      orl     $1, %edx
3:      ret

/* ---------------------------------------------------------------- text */
put_text:
        lodsb
        testb   %al, %al
        jz      1f
        call    put_byte
        jmp     put_text
1:      ret

put_line_end:
        movl    $text_line_end, %esi
        jmp     put_text

put_space:
        movb    $' ', %al

put_byte:                                       /* AL; keeps every other register */
        pushal
        movb    %al, %bl
        movl    $(SERIAL + 5), %edx
        movl    $WAIT_LIMIT, %ecx
1:      inb     %dx, %al
        testb   $0x20, %al
        jnz     2f
        loop    1b
2:      movb    %bl, %al
        movl    $SERIAL, %edx
        outb    %al, %dx
        popal
        ret

put_hex:                                        /* EAX */
        movl    $8, %ecx
        movl    %eax, %ebx
1:      roll    $4, %ebx
        movb    %bl, %al
        andb    $15, %al
        addb    $'0', %al
        cmpb    $'9', %al
        jbe     2f
        addb    $('a' - '9' - 1), %al
2:      call    put_byte
        loop    1b
        ret

text_up:        .asciz  "\r\nUP "
text_ready:     .asciz  "READY "
text_heartbeat: .asciz  "HB "
text_line_end:  .asciz  "\r\n"

        .balign 4
idt_pointer:    .word   IDT_ENTRIES * 8 - 1
                .long   IDT_ADDRESS
        .balign 4
boot_id:        .long   0
tick:           .long   0
disk_writes:    .long   0
working_set_end: .long  0
dirty_cursor:   .long   0

        .org    512 * (1 + SECTORS_BEHIND)      /* fails to assemble when the program outgrows what the boot sector reads */
